"""How a request's params become the arguments of the function that answers it; the same for both sides."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any, TypeAlias

from ..errors import RpcError
from ..frozen import dataclass
from .codes import INVALID_PARAMS
from .misfit import misfit

__all__ = ["Function", "Method"]


Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Method:
    """Hold a function that answers a method.

    Attributes:
        function: Sync or async.
        offered: The parameters that a request's params fill: all but the connection.
        connection: The parameter that takes the caller's connection, or None.
        place: So many parameters stand before the connection.
    """

    function: Function
    offered: tuple[Parameter, ...]
    connection: Parameter | None
    place: int

    @classmethod
    def of(cls, function: Function, connection_type: type | None = None) -> Method:
        """Read a function's signature; a parameter annotated with `connection_type` takes the connection."""
        offered = list(inspect.signature(function).parameters.values())
        wanted = [] if connection_type is None else _annotated(function, offered, connection_type)
        if not wanted:
            return cls(function, tuple(offered), None, 0)
        place = next(place for place, it in enumerate(offered) if it.name == wanted[0])
        connection = offered.pop(place)
        return cls(function, tuple(offered), connection, place)

    def call(self, params: Any, connection: object = None) -> Any:
        """Call the function; gives its result, or the coroutine that will.

        Args:
            params: A list (by position), a dict (by name), or None.
            connection: The caller's, where the function takes it.

        Raises:
            RpcError: With code -32602, when the params do not fit; the message names the parameter.
        """
        if why := misfit(self.offered, params):
            raise _invalid(why)
        positional, named = ([], params) if type(params) is dict else (list(params or ()), {})
        if self.connection is not None:
            named = self._add_connection(self.connection, connection, positional, named)
        return self.function(*positional, **named)

    def _add_connection(
        self, parameter: Parameter, connection: object, positional: list[Any], named: dict[str, Any]
    ) -> dict[str, Any]:
        """Put the connection where it belongs; gives the named arguments."""
        if parameter.kind is Parameter.KEYWORD_ONLY or (named and parameter.kind is Parameter.POSITIONAL_OR_KEYWORD):
            if parameter.name in named:
                # Who takes any name would get this one twice.
                raise _invalid(f"unexpected '{parameter.name}'")
            return {**named, parameter.name: connection}
        # The params may end before it, where the rest has defaults.
        positional.extend(it.default for it in self.offered[len(positional) : self.place])
        positional.insert(self.place, connection)
        return named


def _annotated(function: Function, parameters: list[Parameter], wanted: type) -> list[str]:
    """Name the parameters that are annotated with a type."""
    try:
        parameters = list(inspect.signature(function, eval_str=True).parameters.values())
    except Exception:
        # Some annotation has a meaning for type checkers only: then its text tells.
        texts = {it.name: str(it.annotation).strip("'\"") for it in parameters}
        return [name for name, text in texts.items() if text.rpartition(".")[2] == wanted.__name__]
    return [it.name for it in parameters if it.annotation is wanted]


def _invalid(why: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"invalid params: {why}")
