"""How a request's params become the arguments of the function that answers it; the same for both sides."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import RpcError
from .codes import INVALID_PARAMS

__all__ = ["Function", "Method"]


Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Method:
    """Hold a function that answers a method.

    Attributes:
        function: Sync or async.
        signature: All its parameters.
        offered: Those that a request's params fill: all but the connection.
        connection_parameter: The name of the parameter that takes the caller's connection, or None.
    """

    function: Function
    signature: inspect.Signature
    offered: inspect.Signature
    connection_parameter: str | None

    @classmethod
    def of(cls, function: Function, connection_type: type | None = None) -> Method:
        """Read a function's signature; a parameter annotated with `connection_type` takes the connection."""
        signature = inspect.signature(function, eval_str=connection_type is not None)
        wanted = [
            name for name, it in signature.parameters.items() if connection_type and it.annotation is connection_type
        ]
        rest = [it for name, it in signature.parameters.items() if name not in wanted]
        return cls(function, signature, signature.replace(parameters=rest), wanted[0] if wanted else None)

    def call(self, params: Any, connection: object = None) -> Any:
        """Call the function; gives its result, or the coroutine that will.

        Args:
            params: A list (by position), a dict (by name), or None.
            connection: The caller's, where the function takes it.

        Raises:
            RpcError: With code -32602, when the params do not fit; the message names the parameter.
        """
        try:
            bound = self.offered.bind(**params) if type(params) is dict else self.offered.bind(*(params or ()))
        except TypeError as error:
            raise RpcError(INVALID_PARAMS, f"invalid params: {error}") from None
        if self.connection_parameter is not None:
            # The connection may stand anywhere among the parameters: the whole signature puts it in its place.
            bound = inspect.BoundArguments(self.signature, bound.arguments)
            bound.arguments[self.connection_parameter] = connection
        return self.function(*bound.args, **bound.kwargs)
