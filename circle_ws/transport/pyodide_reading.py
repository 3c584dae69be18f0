"""How the texts of message events cross from JavaScript to Python: as bytes, where that is faster than as a text.

All of it is put together from what JavaScript has, as a content security policy may forbid to evaluate a script. An
encoder asks whatever it is given for its text, so what it is given is taught to answer with what is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import JsException

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_together", "reader_of_large"]

_SEPARATOR = "\0"
"""Between messages that cross together: JSON has it nowhere."""
_BINARY = "[object ArrayBuffer]"
"""What JavaScript makes of a binary message where a text is wanted; it is no JSON either."""


def reader_of_large(js_event: Any) -> Callable[[Any], Any]:
    """Return a function that gives the data of such message events, where a text crosses as bytes."""
    js_getter = _js_getter(js_event)
    if js_getter is None:
        return _data
    js_encoder = js.TextEncoder.new()
    js_encode = js_encoder.encode.bind(js_encoder)

    def read(js_event: Any) -> Any:
        js_event.toString = js_getter
        try:
            return js_encode(js_event).to_bytes().decode()
        except JsException:
            # Binary data is no text to JavaScript either.
            return js_event.data

    return read


def read_together(js_events: Any, count: int) -> list[str | None]:
    """Return the texts of `count` message events, in their order; None for a binary message."""
    texts: list[str] = []
    js_getter = _js_getter(js_events[0])
    if js_getter is not None:
        js_texts = js_events.map(js.Function.prototype.call.bind(js_getter))
        js_texts.toString = js_texts.join.bind(js_texts, _SEPARATOR)
        texts = js.TextEncoder.new().encode(js_texts).to_bytes().decode().split(_SEPARATOR)
    if len(texts) != count:
        # A message has what JSON has not.
        texts = [str(js_event.data) for js_event in js_events]
    return [None if text == _BINARY else text for text in texts]


def _js_getter(js_event: Any) -> Any:
    """Return what gives an event its data; None where it has them as a member of its own."""
    js_property = js.Object.getOwnPropertyDescriptor(js.Object.getPrototypeOf(js_event), "data")
    return getattr(js_property, "get", None)


def _data(js_event: Any) -> Any:
    return js_event.data
