"""The transfer of message texts from JavaScript to Python: large ones as bytes, those of a flood together.

Entering Python for a message event takes some seventy microseconds with all that follows. At thousands of notifications
a second no time is left for painting, and what Python has no time for queues up in the browser, beyond the reach of our
maximums and `overflow`, with the replies behind it. During a flood the socket's handler is therefore a function of
JavaScript's own, `push` of an array, and Python is entered once for all messages of some milliseconds.

A content security policy may forbid evaluating a script, so all functions are composed of what JavaScript has. A
`TextEncoder` converts its argument to a string: objects are given a `toString` that returns what is to be encoded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import JsException

from .pyodide_events import host_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyodide.ffi import JsProxy

__all__ = ["LOOK_EVERY", "Flood", "reader_of_large"]

LOOK_EVERY = 32
"""Number of messages from one look at the clock to the next."""
_RATE = 1000.0
"""Messages a second from which on they are a flood."""
_PAUSE = 0.005
"""How long messages are put aside before they are fetched together, in seconds: a third of a frame."""
_FEW = 3
"""A pause with fewer notifications is a calm one."""
_CALM = 5
"""Number of calm pauses in a row that end a flood, as a peer may send in bursts."""
_NOTIFICATION = '"method"'
"""Part of every notification, and of hardly any reply."""
_PORTION = 256
"""Maximum number of messages that are delivered in one turn of the event loop. The tasks that they wake run in between,
so that a buffer of notifications overflows only where its reader is slow."""

_SEPARATOR = "\0"
"""The separator of messages that are transferred together; no JSON text contains it."""
_BINARY = "[object ArrayBuffer]"
"""What JavaScript converts a binary message to; that is no JSON either."""


class Flood:
    """A detector of floods of notifications, which delivers their messages in portions.

    Args:
        js_socket: The WebSocket.
        js_handler: Its handler of message events while there is no flood.
        take: Called with the text of each message, or None for a binary one. It must not raise.
    """

    __slots__ = (
        "_calm",
        "_js_events",
        "_js_handler",
        "_js_socket",
        "_looked_at",
        "_starved",
        "_take",
        "_texts",
        "lag",
    )

    def __init__(self, js_socket: Any, js_handler: JsProxy, take: Callable[[str | None], None]) -> None:
        self._js_socket = js_socket
        self._js_handler = js_handler
        self._take = take
        self._js_events: Any = None
        """The array that JavaScript puts events into; None while there is no flood."""
        self._texts: deque[str | None] = deque()
        """What has crossed to Python and was not delivered yet."""
        self._calm = 0
        """How many pauses in a row were calm."""
        self._looked_at = 0.0
        self._starved = False
        """Whether the event loop had no turn since the last look: so many messages wait in the browser already."""
        self.lag: float = 0.0
        """How long the oldest message of the last fetch had waited in the page, in seconds."""

    def look(self, text: str) -> None:
        """Look at one of every `LOOK_EVERY` messages, and put messages aside from now on if there is a flood.

        They come faster than `_RATE`, or faster than a slow page can take them. Replies make no flood: each is
        delivered at once, as a task waits for it. A hidden tab has nothing to paint, and its timers come a second late.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        quick = now - self._looked_at < LOOK_EVERY / _RATE
        self._looked_at = now
        if _NOTIFICATION not in text or host_events.hidden:
            return
        if quick or self._starved:
            self._js_events = js_events = js.Array.new()
            self._js_socket.onmessage = js_events.push.bind(js_events)
            self._pause()
        else:
            self._starved = True
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._starved = False

    def finish(self) -> None:
        """Deliver all that was put aside, as the socket has closed.

        All in this turn: code that ran in between would find the connection down before that is reported, and give up
        calls whose replies are here. It is no more than came within one pause, or while the page was busy.
        """
        if self._js_events is not None:
            self._fetch()
            while self._texts:
                # It may call `stop`.
                self._take(self._texts.popleft())
        self.stop()

    def stop(self) -> None:
        """Discard what was put aside, and put nothing aside any more."""
        self._js_events = None
        self._texts.clear()

    def _pause(self) -> None:
        # A turn of the loop follows, as in a busy browser a timer that is due overtakes what waits for its turn: the
        # readers of the portion before would not have run.
        asyncio.get_running_loop().call_later(_PAUSE, self._soon)

    def _soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Deliver a portion, and schedule the next one."""
        if self._js_events is None:
            return
        if not self._texts:
            self._calm = self._calm + 1 if self._fetch() < _FEW else 0
        for _ in range(min(len(self._texts), _PORTION)):
            # `_take` may call `stop`.
            if self._texts:
                self._take(self._texts.popleft())
        if self._js_events is None:
            return
        if self._texts:
            self._soon()
        elif self._calm < _CALM and not host_events.hidden:
            self._pause()
        elif self._js_events.length:
            # Messages that came between the portions.
            self._soon()
        else:
            # In the same turn, so that no message comes in between.
            self._end()

    def _end(self) -> None:
        self._js_socket.onmessage = self._js_handler
        self._js_events = None
        self._calm = 0
        self.lag = self._looked_at = 0.0

    def _fetch(self) -> int:
        """Fetch what was put aside, and return the number of notifications."""
        js_events = self._js_events.splice(0)
        count: int = js_events.length
        if not count:
            return 0
        self.lag = max(js.performance.now() - js_events[0].timeStamp, 0.0) / 1000
        texts = read_together(js_events, count)
        self._texts.extend(texts)
        return sum(text is not None and _NOTIFICATION in text for text in texts)


def reader_of_large(js_event: Any) -> Callable[[Any], Any]:
    """Return a function that returns the data of such message events, and has a text cross as bytes."""
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
            # Not the text of a string: binary data.
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
        # A message contains a separator.
        texts = [str(js_event.data) for js_event in js_events]
    return [None if text == _BINARY else text for text in texts]


def _js_getter(js_event: Any) -> Any:
    """Return the getter of an event's data; None where they are a property of the event's own."""
    js_property = js.Object.getOwnPropertyDescriptor(js.Object.getPrototypeOf(js_event), "data")
    return getattr(js_property, "get", None)


def _data(js_event: Any) -> Any:
    return js_event.data
