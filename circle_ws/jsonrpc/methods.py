"""Params to arguments: a request's params are matched with the function that answers it, and converted for it.

Client and server use the same. Words for what does not fit are those of JSON-RPC: the caller may know no Python.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from inspect import Parameter
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, ForwardRef, TypeAlias, get_type_hints

from ..errors import InvalidRequest, InvalidResult, RpcError
from .convert import param_converter
from .messages import INVALID_PARAMS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Function", "Method"]

Function: TypeAlias = Callable[..., Any]
_Converter: TypeAlias = Callable[[Any], Any] | None

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_OTHERS = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_MAX_NAMES = 5
"""Maximum number of the caller's names that an error repeats."""
_MAX_NAME = 40
"""Maximum number of characters of such a name."""


class Method:
    """A function that answers a method.

    Args:
        function: Sync or async.
        connection_type: The parameter annotated with it takes the caller's connection and is none of the params.

    Raises:
        InvalidRequest: The function's parameters cannot be known, or no value can be converted to an annotation.
    """

    __slots__ = ("_by_name", "_by_position", "_connection", "_converts", "_function", "_offered", "_others", "_place")

    def __init__(self, function: Function, connection_type: type | None = None) -> None:
        self._function = function
        self._offered = _parameters(function)
        """The parameters that params fill: all but the connection."""
        self._connection: Parameter | None = None
        self._place = 0
        """How many parameters stand before the connection."""
        names = _globals_of(function)
        annotations = [_resolved(it, names, connection_type) for it in self._offered]
        if connection_type in annotations:
            self._place = annotations.index(connection_type)
            self._connection = self._offered.pop(self._place)
            del annotations[self._place]
        converters = [_converter(it.name, form) for it, form in zip(self._offered, annotations, strict=True)]
        pairs = list(zip(self._offered, converters, strict=True))
        self._converts = any(converters)
        self._by_position = [converter for it, converter in pairs if it.kind in _BY_POSITION]
        self._by_name = {it.name: converter for it, converter in pairs if it.kind in _BY_NAME}
        self._others = {it.kind: converter for it, converter in pairs}
        """The converters by kind, of use for `*args` and `**kwargs`, of which a function has one each at most."""

    def call(self, params: Any, connection: object = None) -> Any:
        """Call the function; returns its result, or the coroutine that will.

        Args:
            params: A list (by position), a dict (by name), or None.
            connection: The caller's, where the function takes it.

        Raises:
            RpcError: With code -32602, when the params do not fit; the message names the parameter.
        """
        if why := "; ".join(_mismatches(self._offered, params)):
            raise _invalid(why)
        positional, named = ([], params) if type(params) is dict else (list(params or ()), {})
        if self._converts:
            by_position = chain(self._by_position, repeat(self._others.get(Parameter.VAR_POSITIONAL)))
            positional = [
                _converted(converter, value, f"[{place}]")
                for place, (value, converter) in enumerate(zip(positional, by_position, strict=False))
            ]
            other = self._others.get(Parameter.VAR_KEYWORD)
            named = {
                name: _converted(self._by_name.get(name, other), value, f".{name[:_MAX_NAME]}")
                for name, value in named.items()
            }
        if self._connection is not None:
            named = self._add_connection(self._connection, connection, positional, named)
        return self._function(*positional, **named)

    def _add_connection(
        self, parameter: Parameter, connection: object, positional: list[Any], named: dict[str, Any]
    ) -> dict[str, Any]:
        """Put the connection where it belongs; returns the named arguments."""
        if parameter.kind is Parameter.KEYWORD_ONLY or (named and parameter.kind is Parameter.POSITIONAL_OR_KEYWORD):
            if parameter.name in named:
                # A function with `**others` would get it twice.
                raise _invalid(f"unexpected '{parameter.name}'")
            return {**named, parameter.name: connection}
        # The params may end before it, where the rest has defaults.
        positional.extend(it.default for it in self._offered[len(positional) : self._place])
        positional.insert(self._place, connection)
        return named


def _parameters(function: Function) -> list[Parameter]:
    try:
        if sys.version_info >= (3, 14):
            from annotationlib import Format

            # By default the annotations are evaluated here, and one that cannot be resolved raises NameError.
            signature = inspect.signature(function, annotation_format=Format.FORWARDREF)
        else:
            signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some of C's, and all of JavaScript's.
        raise InvalidRequest(
            "the parameters of the function cannot be known; give a Python function that calls it"
        ) from None
    return list(signature.parameters.values())


def _globals_of(function: Any) -> dict[str, Any]:
    """Return the names that a function's annotations may use."""
    function = inspect.unwrap(function)
    while isinstance(function, partial):
        function = inspect.unwrap(function.func)
    # Those of `def f[T](...)`.
    own = {it.__name__: it for it in getattr(function, "__type_params__", ())}
    if isinstance(function, type):
        return {**vars(sys.modules[function.__module__]), **own}
    names: dict[str, Any] | None = getattr(function, "__globals__", None)
    return {**(getattr(type(function).__call__, "__globals__", {}) if names is None else names), **own}


def _resolved(parameter: Parameter, names: dict[str, Any], connection_type: type | None) -> Any:
    """Return a parameter's annotation, evaluated where it is text; `Any` where there is none.

    Raises:
        InvalidRequest: It cannot be evaluated, as a name that is imported for type checkers only.
    """
    annotation = parameter.annotation
    if annotation is Parameter.empty:
        return Any

    def holder() -> None: ...

    holder.__annotations__ = {"it": annotation}
    try:
        return get_type_hints(holder, names, include_extras=True)["it"]
    except Exception as error:
        text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else str(annotation)
        if connection_type is not None and text.strip("'\"").rpartition(".")[2] == connection_type.__name__:
            return connection_type
        raise InvalidRequest(
            f"the annotation {text!r} of the parameter {parameter.name!r} cannot be resolved ({error}): "
            "define or import what it names for all of the module, not for type checkers only, or leave it out"
        ) from None


def _converter(name: str, annotation: Any) -> _Converter:
    try:
        return param_converter(annotation)
    except InvalidRequest as error:
        raise InvalidRequest(
            f"the annotation of the parameter {name!r}: {error}; without one, or with Any, it takes the value as it is"
        ) from None


def _converted(converter: _Converter, value: Any, path: str) -> Any:
    if converter is None:
        return value
    try:
        return converter(value)
    except InvalidResult as error:
        words = str(error).removeprefix("$")
    # Outside of the handler: what the error came from may hold the value, and would be kept as the context.
    raise _invalid(f"params{path}{words}")


def _mismatches(parameters: list[Parameter], params: Any) -> Iterable[str]:
    """Describe what is missing, not expected, or too many."""
    is_named = type(params) is dict
    count = len(params or ())
    kinds = _BY_NAME if is_named else _BY_POSITION
    names = [it.name for it in parameters if it.kind in kinds]
    given = params if is_named else names[:count]
    required = [it for it in parameters if it.default is Parameter.empty and it.kind not in _OTHERS]
    if missing := [it.name for it in required if it.kind in kinds and it.name not in given]:
        yield f"missing {_names(missing)}"
    if elsewhere := [it.name for it in required if it.kind not in kinds]:
        yield f"missing {_names(elsewhere)}, by {'position' if is_named else 'name'}"
    if any(it.kind is _OTHERS[is_named] for it in parameters):
        return
    if not is_named and count > len(names):
        most = f"at most {len(names)}" if names else "none"
        yield f"takes {most}{' by position' if len(parameters) > len(names) else ''}, not {count}"
    if is_named and (unexpected := [name for name in params if name not in {*names, *elsewhere}]):
        yield f"unexpected {_names(unexpected)}"


def _names(names: list[str]) -> str:
    shown = ", ".join(f"'{name[:_MAX_NAME]}'" for name in names[:_MAX_NAMES])
    return shown if len(names) <= _MAX_NAMES else f"{shown} and {len(names) - _MAX_NAMES} more"


def _invalid(why: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"invalid params: {why}")
