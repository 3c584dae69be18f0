"""A bounded buffer between a producer that never waits and one slow reader."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

__all__ = ["Buffer"]

T = TypeVar("T")


class Buffer(Generic[T]):
    """Keep what a slow reader has not read yet; when it is full the oldest goes.

    Args:
        size: How many items are kept at most.
    """

    __slots__ = ("__weakref__", "_items", "dropped", "ended", "failure")

    def __init__(self, size: int) -> None:
        self._items: deque[T] = deque(maxlen=size)
        self.dropped = 0
        """How many items were lost because the buffer was full."""
        self.ended = False
        """Nothing comes any more; what is buffered can still be read."""
        self.failure: Exception | None = None
        """Why nothing comes at present; None while something may."""

    def put(self, item: T) -> bool:
        """Add one item; drop the oldest where there is no room, and tell whether it was. Ignored once it has ended."""
        if self.ended:
            return False
        full = len(self._items) == self._items.maxlen
        self.dropped += full
        self._items.append(item)
        return full

    def fail(self, failure: Exception | None) -> None:
        """Learn that nothing comes until the producer starts anew, or, with None, that it did."""
        self.failure = failure

    def end(self) -> None:
        """Take nothing from now on."""
        self.ended = True

    def pop(self) -> T:
        """Take the oldest item.

        Raises:
            IndexError: There is none.
        """
        return self._items.popleft()

    def __len__(self) -> int:
        return len(self._items)
