"""Values that cross between JavaScript and Python: plain ones in either direction, and errors."""

from __future__ import annotations

import re
from typing import Any

import js
from pyodide.ffi import to_js

from ..errors import CircleWsError, InvalidRequest
from ..jsonrpc import codec as json

__all__ = ["NULL", "error_of", "from_javascript", "is_null", "is_object", "to_javascript"]

NULL: Any = js.JSON.parse("null")
"""JavaScript's null; None before Pyodide 0.28, which does not tell it from undefined."""

_MAYBE_BIG = re.compile("[0-9]{16}")
"""What an integer that JavaScript's numbers cannot hold has; they are exact up to 2^53 - 1, of 16 digits."""
_SCALARS = frozenset({str, bool, int, float})
_TOLD = ("code", "data", "phase", "path")


def to_javascript(value: Any) -> Any:
    """Return plain JSON values as JavaScript has them: plain objects, null, BigInts for integers over 2^53 - 1."""
    text = json.encode(value, "the value")
    if _MAYBE_BIG.search(text) is None:
        # Ten times as fast as a conversion value by value.
        return js.JSON.parse(text)
    return to_js(_with_nulls(value), dict_converter=js.Object.fromEntries)


def _with_nulls(value: Any) -> Any:
    if type(value) is list:
        return [_with_nulls(part) for part in value]
    if type(value) is dict:
        return {key: _with_nulls(part) for key, part in value.items()}
    return NULL if value is None else value


def is_null(value: Any) -> bool:
    """Return whether a value is JavaScript's null."""
    return type(value).__name__ == "JsNull"


def is_object(value: Any) -> bool:
    """Return whether a value is an object of JavaScript's."""
    return hasattr(value, "to_py")


def from_javascript(value: Any, name: str = "params") -> Any:
    """Return plain values for arrays, objects, null and BigInts of JavaScript's, without members that are undefined.

    Raises:
        InvalidRequest: A part is something that JSON does not have; the message names its path.
    """
    try:
        return _plain(value.to_py(depth=json.MAX_DEPTH) if is_object(value) else value, name, 1)
    except RecursionError:
        # Outside of the handler: its context would show the values.
        pass
    raise InvalidRequest(f"{name} is nested too deep to be sent from here, where the program's own stack is deep")


def _plain(value: Any, path: str, depth: int) -> Any:
    kind = type(value)
    if kind in _SCALARS or value is None:
        return value
    if depth > json.MAX_DEPTH:
        raise InvalidRequest(f"{path[:80]}... is nested more than {json.MAX_DEPTH} deep, or contains itself")
    if kind is list:
        return [
            part if type(part) in _SCALARS else _plain(part, f"{path}[{index}]", depth + 1)
            for index, part in enumerate(value)
        ]
    if kind is dict:
        return {
            key: part if type(part) in _SCALARS else _plain(part, f"{path}.{key}", depth + 1)
            for key, part in value.items()
            # Undefined, as for `JSON.stringify`.
            if part is not None or NULL is None
        }
    if is_null(value):
        return None
    if kind.__name__ == "JsBigInt":
        return int(value)
    raise InvalidRequest(f"{path} is {_named(value)}, which JSON does not have; send plain objects, arrays and texts")


def _named(value: Any) -> str:
    if isinstance(value, memoryview | bytes):
        return "a typed array or a buffer"
    name = getattr(getattr(value, "constructor", None), "name", None)
    return f"a {name or type(value).__name__}"


def error_of(error: BaseException, names: dict[str, str] | None = None) -> Any:
    """Return the `Error` for an exception: its class is the `name`; with `code`, `data`, `phase`, `path`, `option`.

    Args:
        error: The exception; one that JavaScript threw is returned as it is.
        names: What options are called in JavaScript.
    """
    if is_object(error):
        return error
    words = str(error)
    option = getattr(error, "option", None)
    if isinstance(option, str) and names is not None:
        own = names.get(option, option)
        words, option = words.replace(option, own), own
    js_error = js.Error.new(words)
    js_error.name = type(error).__name__
    if isinstance(error, CircleWsError):
        told = {name: getattr(error, name, None) for name in _TOLD} | {"option": option}
        for name, value in told.items():
            if value is not None:
                setattr(js_error, name, to_javascript(value))
    if error.__cause__ is not None:
        js_error.cause = error_of(error.__cause__)
    return js_error
