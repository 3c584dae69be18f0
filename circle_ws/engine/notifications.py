"""Notifications: the registry of listeners by method, and `listen()`, which makes a listener."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from ..errors import InvalidRequest
from ..jsonrpc.convert import find_converter
from .listener import LARGE, MAX_BYTES, Buffer, Listener, Overflow, weigh

if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop_affinity import LoopAffinity

__all__ = ["MAX_BUFFERED", "Notification", "Subscriptions", "Topic", "listen"]

T = TypeVar("T")

MAX_BUFFERED = 1024
"""Default of the maximum number of notifications that are kept for one slow reader."""
_LOG_INTERVAL = 60.0
"""Minimum time between two log lines about the same slow reader, in seconds."""

_logger = logging.getLogger("circle_ws.notifications")


@dataclass(frozen=True, slots=True)
class Notification(Generic[T]):
    """One notification, as yielded by a listener to all of them.

    Attributes:
        method: Its name.
        params: A list, a dict, or None where it has none; or what `yields` makes of that.
    """

    method: str
    params: T


class Topic:
    """The buffers of one method.

    Args:
        subscriptions: All topics.
        method: The method's name; None for everything.

    Attributes:
        buffers: In the order in which they came. A new tuple at each change, so that it can be gone through meanwhile.
    """

    __slots__ = ("_method", "_subscriptions", "buffers")

    def __init__(self, subscriptions: Subscriptions, method: str | None) -> None:
        self._subscriptions = subscriptions
        self._method = method
        self.buffers: tuple[Buffer[Any], ...] = ()

    def remove(self, buffer: Buffer[Any]) -> None:
        """Stop filling `buffer`; an unknown one is ignored."""
        self.buffers = tuple(it for it in self.buffers if it is not buffer)
        if not self.buffers:
            self._subscriptions.forget(self._method, self)

    def drop(self, buffer: Buffer[Any]) -> None:
        """Remove `buffer` before the next notification or listener; may be called in any thread."""
        self._subscriptions.dropped.append((self, buffer))


class Subscriptions:
    """Registry of the buffers that notifications are put into, by method."""

    __slots__ = ("_ended", "_failure", "_topics", "dropped", "interrupted_at")

    def __init__(self) -> None:
        self._topics: dict[str | None, Topic] = {}
        self._ended = False
        self._failure: Exception | None = None
        self.dropped: list[tuple[Topic, Buffer[Any]]] = []
        """Buffers whose listeners were dropped by the program, to be removed; an empty deque would take 700 bytes."""
        self.interrupted_at: float | None = None
        """Since when there has been no connection, until `resume` is called."""

    def add(self, method: str | None, buffer: Buffer[Any]) -> Topic:
        """Fill `buffer` with what comes for `method` from now on; for None with everything, as `Notification`.

        Returns:
            The topic, which can remove it.
        """
        self._sweep()
        topic = self._topics.get(method) or Topic(self, method)
        if self._ended:
            buffer.end()
        else:
            buffer.fail(self._failure)
            self._topics[method] = topic
            if buffer not in topic.buffers:
                topic.buffers += (buffer,)
        return topic

    def forget(self, method: str | None, topic: Topic) -> None:
        """Remove a topic without buffers."""
        if self._topics.get(method) is topic:
            del self._topics[method]

    def publish(self, method: str, params: Any, text: str = "") -> int:
        """Put a notification into the buffers of its method, and of everything; `text` is the JSON that it came in.

        Returns:
            How many were dropped because buffers were full, each once for each buffer.
        """
        if self.dropped:
            self._sweep()
        dropped = 0
        topics = self._topics
        topic = topics.get(method)
        weight = len(text)
        if weight >= LARGE:
            weight = weigh(text)
        if topic is not None:
            for buffer in topic.buffers:
                dropped += buffer.put(params, weight)
        topic = topics.get(None)
        if topic is not None:
            for buffer in topic.buffers:
                dropped += buffer.put(Notification(method, params), weight)
        return dropped

    def interrupt(self, at: float) -> None:
        """Note that the connection was lost at the time `at`, in seconds."""
        self.interrupted_at = at

    def resume(self, at: float) -> None:
        """After an interruption, mark a gap in every buffer: notifications may come again from the time `at` on."""
        assert self.interrupted_at is not None
        downtime = max(at - self.interrupted_at, 0.0)
        self.interrupted_at = None
        for buffer in self._all():
            buffer.interrupted(downtime)

    def fail(self, failure: Exception) -> None:
        """Make every listener raise `failure`, until `revive`."""
        self._set_failure(failure)

    def revive(self) -> None:
        """Make every listener wait again."""
        self._set_failure(None)

    def end(self) -> None:
        """End every buffer, and each that is added later."""
        self._ended = True
        for buffer in self._all():
            buffer.end()
        self._topics.clear()

    def _set_failure(self, failure: Exception | None) -> None:
        self._failure = failure
        for buffer in self._all():
            buffer.fail(failure)

    def _all(self) -> list[Buffer[Any]]:
        self._sweep()
        return [buffer for topic in self._topics.values() for buffer in topic.buffers]

    def _sweep(self) -> None:
        while self.dropped:
            topic, buffer = self.dropped.pop()
            topic.remove(buffer)


class DropLog:
    """The log of one listener that is too slow: at most one line a minute.

    Args:
        method: What it listens to; None is everything.
        clock: Returns the time in seconds; it is never put back.
    """

    __slots__ = ("_clock", "_method", "_next")

    def __init__(self, method: str | None, clock: Callable[[], float] = monotonic) -> None:
        self._method = method
        self._clock = clock
        self._next = clock()

    def note(self, dropped: int) -> None:
        """Log that notifications were dropped, `dropped` so far."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _LOG_INTERVAL
        _logger.warning(
            "a listener to %s is too slow: %d dropped so far; read faster (batch()), raise buffer or buffer_bytes, or "
            "choose what is dropped (overflow)",
            "all notifications" if self._method is None else repr(self._method),
            dropped,
            extra={"circle_method": self._method, "circle_dropped": dropped},
        )


def listen(
    subscriptions: Subscriptions,
    method: str | None,
    yields: Any,
    *,
    buffer: int = MAX_BUFFERED,
    buffer_bytes: int = MAX_BYTES,
    overflow: Overflow = "drop_oldest",
    gaps: bool = False,
    owner: object = None,
    affinity: LoopAffinity | None = None,
) -> Listener[Any]:
    """Return a new listener; the arguments are those of `CircleWsClient.notifications` and of `Listener`.

    Raises:
        InvalidRequest: One is wrong.
    """
    if method is not None and (type(method) is not str or not method):
        raise InvalidRequest(f"a method is named by a text that is not empty, or None for all, not by {method!r}")
    if type(buffer) is not int or buffer < 1:
        raise InvalidRequest(f"buffer must be a whole number from 1, not {buffer!r}")
    if type(buffer_bytes) is not int or buffer_bytes < 1:
        raise InvalidRequest(f"buffer_bytes must be a whole number from 1, not {buffer_bytes!r}")
    if overflow not in get_args(Overflow):
        raise InvalidRequest(f"overflow must be one of {', '.join(get_args(Overflow))}, not {overflow!r}")
    if type(gaps) is not bool:
        raise InvalidRequest(f"gaps must be True or False, not {gaps!r}")
    if method is None and yields is not Any:
        raise InvalidRequest("yields is for one method: name it, or convert Notification.params yourself")
    convert = find_converter(yields)
    # With `latest`, dropping is what was asked for.
    on_dropped = None if overflow == "latest" else DropLog(method).note
    kept: Buffer[Any] = Buffer(buffer, overflow=overflow, gaps=gaps, max_bytes=buffer_bytes, on_dropped=on_dropped)
    return Listener(kept, subscriptions.add(method, kept), convert=convert, owner=owner, affinity=affinity)
