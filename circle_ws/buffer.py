"""A bounded buffer between a producer that never waits and one slow reader."""

from __future__ import annotations

from collections import deque
from typing import Generic, Literal, TypeVar

from .errors import QueueFull
from .frozen import dataclass

__all__ = ["Buffer", "Gap", "Overflow"]

T = TypeVar("T")

Overflow = Literal["drop_oldest", "drop_newest", "close"]
"""What happens to an item for which there is no room."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Mark a place in a stream where something may be missing.

    Attributes:
        dropped: How many items were dropped here because the reader was slow.
        downtime: How long there was no link here, in seconds.
    """

    dropped: int
    downtime: float

    def __add__(self, other: Gap) -> Gap:
        return Gap(self.dropped + other.dropped, self.downtime + other.downtime)


class Buffer(Generic[T]):
    """Keep what a slow reader has not read yet.

    Args:
        size: How many items are kept at most.
        overflow: When it is full: the oldest item goes, or the newest, or the buffer ends and says why.
        gaps: Give a `Gap` in the place of what is missing.
    """

    __slots__ = (
        "__weakref__",
        "_first",
        "_gaps",
        "_items",
        "_overflow",
        "_size",
        "dropped",
        "ended",
        "failure",
        "overrun",
    )

    def __init__(self, size: int, *, overflow: Overflow = "drop_oldest", gaps: bool = False) -> None:
        self._size = size
        self._overflow = overflow
        self._items: deque[T] = deque()
        self._first = 0
        self._gaps: dict[int, Gap] | None = {} if gaps else None
        """By the number of the item before which they are, counted from the first one that was ever put."""
        self.dropped = 0
        """How many items were lost because the buffer was full."""
        self.ended = False
        """Nothing comes any more; what is buffered can still be read."""
        self.failure: Exception | None = None
        """Why nothing comes at present; None while something may."""
        self.overrun: QueueFull | None = None
        """Set once it has ended because it was full."""

    def put(self, item: T) -> bool:
        """Add one item, and tell whether one was dropped for want of room. Ignored once it has ended."""
        if self.ended:
            return False
        if len(self._items) < self._size:
            self._items.append(item)
            return False
        self.dropped += 1
        if self._overflow == "drop_oldest":
            self._items.popleft()
            self._items.append(item)
            self._drop_first()
        elif self._overflow == "drop_newest":
            self._mark(self._first + len(self._items), Gap(1, 0.0))
        else:
            self.overrun = QueueFull(
                f"the reader was too slow: {self._size} items were waiting already and overflow is 'close'; read "
                "faster, raise buffer, or choose what is dropped"
            )
            self.end()
        return True

    def missed(self, downtime: float) -> None:
        """Learn that for `downtime` seconds nothing could come; ignored where nobody wants to know of gaps."""
        self._mark(self._first + len(self._items), Gap(0, downtime))

    def fail(self, failure: Exception | None) -> None:
        """Learn that nothing comes until the producer starts anew, or, with None, that it did."""
        self.failure = failure

    def end(self) -> None:
        """Take nothing from now on."""
        self.ended = True

    def pop(self) -> T | Gap:
        """Take the oldest item, or the gap before it.

        Raises:
            IndexError: There is none.
        """
        gaps = self._gaps
        if gaps and self._first in gaps:
            return gaps.pop(self._first)
        item = self._items.popleft()
        self._first += 1
        return item

    def __len__(self) -> int:
        return len(self._items) + len(self._gaps or ())

    def _drop_first(self) -> None:
        if self._gaps is not None:
            before = self._gaps.pop(self._first, None)
            self._mark(self._first + 1, Gap(1, 0.0) if before is None else before + Gap(1, 0.0))
        self._first += 1

    def _mark(self, position: int, gap: Gap) -> None:
        if self._gaps is not None:
            known = self._gaps.get(position)
            self._gaps[position] = gap if known is None else known + gap
