"""Message events that come faster than Python can be entered for each of them.

A page hands every message event to Python, which takes some seventy microseconds with all that follows. At thousands of
notifications a second nothing is left for painting, and what Python has no time for queues up in the browser, where no
bound of ours and no `overflow` reaches it, with the replies behind it. In a flood the socket's handler is therefore a
function of JavaScript's own, `push` of an array, and Python is entered once for all that came within some milliseconds.
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
"""So many messages come between two looks at the clock."""
_RATE = 1000.0
"""Messages a second from which on it is a flood."""
_PAUSE = 0.005
"""How long messages are put aside before they are taken together, in seconds: a third of a frame."""
_FEW = 3
"""Fewer notifications than so many in a pause are few."""
_CALM = 5
"""After so many pauses in a row with few the flood has ended; a peer may send in bursts."""
_NOTIFICATION = '"method"'
"""What a reply has not, but for one that mentions it."""
_PORTION = 256
"""So many messages are taken in one turn of the event loop. The tasks that they wake come in between, so that a buffer
of notifications overflows only where its reader is slow."""

_SEPARATOR = "\0"
"""Between messages that cross together: JSON has it nowhere."""
_BINARY = "[object ArrayBuffer]"
"""What JavaScript makes of a binary message where a text is wanted; it is no JSON either."""


class Flood:
    """See a flood of notifications begin and end, and take what comes meanwhile in portions.

    Args:
        js_socket: The WebSocket.
        js_handler: Handles its message events while there is no flood.
        take: Takes the data of one message: a text, or None for a binary message. It must not raise.
    """

    __slots__ = (
        "_calm",
        "_js_events",
        "_js_handler",
        "_js_socket",
        "_looked_at",
        "_take",
        "_texts",
        "lag",
    )

    def __init__(self, js_socket: Any, js_handler: JsProxy, take: Callable[[str | None], None]) -> None:
        self._js_socket = js_socket
        self._js_handler = js_handler
        self._take = take
        self._js_events: Any = None
        """What JavaScript has put aside; None while there is no flood."""
        self._texts: deque[str | None] = deque()
        """What has crossed to Python and is not taken yet."""
        self._calm = 0
        """How many pauses in a row had few notifications."""
        self._looked_at = 0.0
        self.lag = 0.0
        """How long the oldest message had waited in the page that was taken last, in seconds."""

    def look(self, text: str) -> None:
        """Learn of a message, one of every `LOOK_EVERY`; put messages aside from now on if there is a flood.

        Replies make none: each is taken at once, as a task waits for it. A tab that is hidden has nothing to paint, and
        its timers come a second late.
        """
        now = asyncio.get_running_loop().time()
        quick = now - self._looked_at < LOOK_EVERY / _RATE
        self._looked_at = now
        if quick and _NOTIFICATION in text and not host_events.hidden:
            self._js_events = js_events = js.Array.new()
            self._js_socket.onmessage = js_events.push.bind(js_events)
            self._pause()

    def finish(self) -> None:
        """Take all that was put aside, as no more comes.

        All in this turn: code that ran in between would find a link that is down and tell nothing of it, and would give
        up the calls whose replies are still here. It is no more than came within one pause, or while the page was busy.
        """
        if self._js_events is not None:
            self._fetch()
            while self._texts:
                # It may stop everything.
                self._take(self._texts.popleft())
        self.stop()

    def stop(self) -> None:
        """Let go of what was put aside, and put nothing aside any more."""
        self._js_events = None
        self._texts.clear()

    def _pause(self) -> None:
        asyncio.get_running_loop().call_later(_PAUSE, self._go_on)

    def _soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Take a portion, and see to the next one."""
        if self._js_events is None:
            return
        if not self._texts:
            self._calm = self._calm + 1 if self._fetch() < _FEW else 0
        for _ in range(min(len(self._texts), _PORTION)):
            # It may stop everything.
            if self._texts:
                self._take(self._texts.popleft())
        if self._js_events is None:
            return
        if self._texts:
            self._soon()
        elif self._calm < _CALM and not host_events.hidden:
            self._pause()
        elif self._js_events.length:
            # It came between the portions of what was fetched before.
            self._soon()
        else:
            # In the turn of that last look, so that nothing comes between the two.
            self._end()

    def _end(self) -> None:
        self._js_socket.onmessage = self._js_handler
        self._js_events = None
        self._calm = 0
        self.lag = self._looked_at = 0.0

    def _fetch(self) -> int:
        """Fetch what JavaScript has put aside, and return how many notifications there were."""
        js_events = self._js_events.splice(0)
        count: int = js_events.length
        if not count:
            return 0
        self.lag = max(js.performance.now() - js_events[0].timeStamp, 0.0) / 1000
        texts = read_together(js_events, count)
        self._texts.extend(texts)
        return sum(text is not None and _NOTIFICATION in text for text in texts)


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
