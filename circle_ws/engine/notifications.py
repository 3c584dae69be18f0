"""Which listeners get which notification."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..frozen import dataclass
from .buffer import LARGE, weigh

if TYPE_CHECKING:
    from .buffer import Buffer

__all__ = ["Notification", "Subscriptions", "Topic"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Notification(Generic[T]):
    """One notification, as a listener for all of them gets it.

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
        """Stop handing notifications to `buffer`; one that is not listening is ignored."""
        self.buffers = tuple(it for it in self.buffers if it is not buffer)
        if not self.buffers:
            self._subscriptions.forget(self._method, self)

    def drop(self, buffer: Buffer[Any]) -> None:
        """Have `buffer` removed before the next notification or listener; may be called in any thread."""
        self._subscriptions.dropped.append((self, buffer))


class Subscriptions:
    """Hand each notification to all that listen to its method, or to everything."""

    __slots__ = ("_ended", "_failure", "_topics", "dropped", "interrupted_at")

    def __init__(self) -> None:
        self._topics: dict[str | None, Topic] = {}
        self._ended = False
        self._failure: Exception | None = None
        self.dropped: deque[tuple[Topic, Buffer[Any]]] = deque()
        """Buffers whose listeners were dropped by the program, to be removed."""
        self.interrupted_at: float | None = None
        """Since when there is no link, until `resume` is called."""

    def add(self, method: str | None, buffer: Buffer[Any]) -> Topic:
        """Let `buffer` have what comes for `method` from now on; for None everything, as `Notification`.

        Returns:
            What ends that.
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
        """Let go of a topic without buffers."""
        if self._topics.get(method) is topic:
            del self._topics[method]

    def publish(self, method: str, params: Any, text: str = "") -> int:
        """Hand one notification to its listeners; `text` is the JSON that it came in.

        Returns:
            How many were dropped for want of room, each once for each listener.
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
        """Learn that the link was lost at the time `at`, in seconds."""
        if self.interrupted_at is None:
            self.interrupted_at = at

    def resume(self, at: float) -> None:
        """Learn that something may come again from the time `at` on: listeners for gaps are told of one."""
        if self.interrupted_at is not None:
            downtime = max(at - self.interrupted_at, 0.0)
            self.interrupted_at = None
            for buffer in self._all():
                buffer.missed(downtime)

    def fail(self, failure: Exception) -> None:
        """Tell every listener that nothing comes any more until `revive`."""
        self._failure = failure
        for buffer in self._all():
            buffer.fail(failure)

    def revive(self) -> None:
        """Tell every listener that something may come again."""
        self._failure = None
        for buffer in self._all():
            buffer.fail(None)

    def end(self) -> None:
        """End every buffer, and each that is added later."""
        self._ended = True
        for buffer in self._all():
            buffer.end()
        self._topics.clear()

    def _all(self) -> list[Buffer[Any]]:
        self._sweep()
        return [buffer for topic in self._topics.values() for buffer in topic.buffers]

    def _sweep(self) -> None:
        while self.dropped:
            topic, buffer = self.dropped.popleft()
            topic.remove(buffer)
