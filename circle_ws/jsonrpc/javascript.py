"""Values of JavaScript's in what is to be sent: plain ones are converted, all others are named by the codec.

A program in a page may be called from JavaScript, and hand on what it was given. Nothing here needs Pyodide: its
proxies are known by their method `to_py`.
"""

from __future__ import annotations

from typing import Any

from ..errors import InvalidRequest
from .strict import MAX_DEPTH

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Convert the plain arrays, objects and nulls of JavaScript's in a value; give the same value where there are none.

    Args:
        value: What the codec refused. What refers to itself comes back as deep as JSON may be, and is refused again.

    Raises:
        InvalidRequest: It is nested deeper than the stack allows.
    """
    try:
        return _plain(value, 0)
    except RecursionError:
        # Before Python 3.12 a comprehension takes a frame of its own, and the stack has room for a thousand.
        raise InvalidRequest(f"params are nested more than {MAX_DEPTH} deep, or contain themselves") from None


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return value
    if hasattr(value, "to_py"):
        value = value.to_py(depth=MAX_DEPTH)
    if isinstance(value, list | tuple):
        items = [_plain(item, depth + 1) for item in value]
        return value if all(map(_is, items, value)) else items
    if isinstance(value, dict):
        members = {key: _plain(item, depth + 1) for key, item in value.items()}
        return value if all(map(_is, members.values(), value.values())) else members
    name = type(value).__name__
    if name == "JsNull":
        return None
    return int(value) if name == "JsBigInt" else value


def _is(one: object, other: object) -> bool:
    return one is other
