"""A bounded buffer between a producer that never waits and one slow reader."""

from __future__ import annotations

from collections import deque
from typing import Generic, Literal, TypeVar

from ..errors import QueueFull
from ..frozen import dataclass

__all__ = ["BUFFER_BYTES", "LARGE", "Buffer", "Gap", "Overflow", "weigh"]

T = TypeVar("T")

Overflow = Literal["drop_oldest", "drop_newest", "latest", "close"]
"""What happens to an item for which there is no room."""

BUFFER_BYTES = 16 * 1024 * 1024
"""How much text is kept for one slow reader by default, as `weigh` counts it."""
LARGE = 1024
"""Size of a text from which on its structure is counted too, in characters."""
_ELEMENT = 40
"""About what a member of a list takes in memory beside its text: a reference and the head of an object, in bytes."""
_CONTAINER = 64
"""About what a list takes while it is empty, in bytes."""


def weigh(text: str) -> int:
    """Return about how much memory a JSON text takes once it is decoded, in bytes; never less than its length.

    `[[],[],...]` takes twenty-five times its length, so a limit on the text alone would be none.
    """
    size = len(text)
    if size < LARGE:
        return size
    return size + _ELEMENT * text.count(",") + _CONTAINER * (text.count("[") + text.count("{"))


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

    An item that comes while the buffer is empty is always kept, however large: a prompt reader misses nothing.

    Args:
        size: How many items are kept at most.
        overflow: When it is full: the oldest item goes, or the newest, or all but the newest, or the buffer ends and
            says why.
        gaps: Give a `Gap` in the place of what is missing.
        most_bytes: How much the items may weigh together.
    """

    __slots__ = (
        "_first",
        "_most_bytes",
        "_overflow",
        "_size",
        "_weight",
        "dropped",
        "ended",
        "failure",
        "gaps",
        "items",
        "overrun",
    )

    def __init__(
        self, size: int, *, overflow: Overflow = "drop_oldest", gaps: bool = False, most_bytes: int = BUFFER_BYTES
    ) -> None:
        self._size = 1 if overflow == "latest" else size
        self._most_bytes = most_bytes
        self._overflow = overflow
        self.items: deque[tuple[T, int]] = deque()
        """What is kept, each with its weight."""
        self._weight = 0
        self._first = 0
        self.gaps: dict[int, Gap] | None = {} if gaps else None
        """By the number of the item before which they are, counted from the first one that was ever put."""
        self.dropped = 0
        """How many items were lost because the buffer was full."""
        self.ended = False
        """Nothing comes any more; what is buffered can still be read."""
        self.failure: Exception | None = None
        """Why nothing comes at present; None while something may."""
        self.overrun: QueueFull | None = None
        """Set once it has ended because it was full."""

    def put(self, item: T, weight: int = 0) -> int:
        """Add one item, and return how many were dropped for want of room. Ignored once it has ended."""
        if self.ended:
            return 0
        items = self.items
        total = self._weight + weight
        if len(items) < self._size and (total <= self._most_bytes or not items):
            items.append((item, weight))
            self._weight = total
            return 0
        return self._overflowed(item, weight)

    def missed(self, downtime: float) -> None:
        """Learn that for `downtime` seconds nothing could come; ignored where nobody wants to know of gaps."""
        self._mark(self._first + len(self.items), Gap(0, downtime))

    def fail(self, failure: Exception | None) -> None:
        """Learn that nothing comes until the producer starts anew, or, with None, that it did."""
        self.failure = failure

    def end(self) -> None:
        """Take nothing from now on."""
        self.ended = True

    def clear(self) -> None:
        """Let go of everything that is buffered."""
        self.items.clear()
        self._weight = 0

    def peek(self) -> T | Gap:
        """Return the oldest item, or the gap before it, and leave it there.

        Raises:
            IndexError: There is none.
        """
        gaps = self.gaps
        return gaps[self._first] if gaps and self._first in gaps else self.items[0][0]

    def pop(self) -> T | Gap:
        """Take the oldest item, or the gap before it.

        Raises:
            IndexError: There is none.
        """
        gaps = self.gaps
        if gaps and self._first in gaps:
            return gaps.pop(self._first)
        item, weight = self.items.popleft()
        self._weight -= weight
        self._first += 1
        return item

    def __len__(self) -> int:
        return len(self.items) + len(self.gaps or ())

    def _overflowed(self, item: T, weight: int) -> int:
        if self._overflow == "drop_newest":
            self.dropped += 1
            self._mark(self._first + len(self.items), Gap(1, 0.0))
            return 1
        if self._overflow == "close":
            self.dropped += 1
            self.overrun = QueueFull(
                f"the reader was too slow: {len(self.items)} items of {self._weight} bytes were waiting already and "
                "overflow is 'close'; read faster, raise buffer or buffer_bytes, or choose what is dropped"
            )
            self.end()
            return 1
        before = self.dropped
        while self.items and (len(self.items) >= self._size or self._weight + weight > self._most_bytes):
            self._drop_first()
        self.items.append((item, weight))
        self._weight += weight
        return self.dropped - before

    def _drop_first(self) -> None:
        self._weight -= self.items.popleft()[1]
        self.dropped += 1
        if self.gaps is not None:
            before = self.gaps.pop(self._first, None)
            self._mark(self._first + 1, Gap(1, 0.0) if before is None else before + Gap(1, 0.0))
        self._first += 1

    def _mark(self, position: int, gap: Gap) -> None:
        if self.gaps is not None:
            known = self.gaps.get(position)
            self.gaps[position] = gap if known is None else known + gap
