"""A bounded buffer with an async iterator over it, which `notifications()` and `status_changes()` return.

The producer references the `Buffer`, and the buffer references the tasks that wait for its next item; the program
references the `Listener`. So a waiting task stays alive, with everything that its frame references, although the event
loop references tasks only weakly. A listener that the program drops while no task waits removes its buffer from the
producer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypedDict, TypeVar

from ..errors import QueueFull
from ..transport.waiter import new_waiter
from .wakeup import settle

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from .loop_affinity import LoopAffinity

__all__ = ["LARGE", "MAX_BYTES", "Buffer", "BufferOptions", "Gap", "Listener", "Overflow", "Source", "weigh"]

T = TypeVar("T")

Overflow = Literal["drop_oldest", "drop_newest", "latest", "close"]
"""The handling of an item for which there is no room."""


class BufferOptions(TypedDict, total=False):
    """The options of `notifications` that do not change its type."""

    buffer: int
    buffer_bytes: int
    overflow: Overflow


MAX_BYTES = 16 * 1024 * 1024
"""Default maximum weight of the items that are kept for one slow reader, as `weigh` counts it."""
LARGE = 1024
"""Minimum size of a text whose structure is weighed too, in characters."""
_ELEMENT_BYTES = 40
"""Approximate memory of a member of a list beside its text: a reference and the header of an object."""
_CONTAINER_BYTES = 64
"""Approximate memory of an empty list."""


def weigh(text: str) -> int:
    """Return the approximate memory that a JSON text takes once decoded, in bytes; at least its length.

    `[[],[],...]` takes twenty-five times its length, so a maximum of text alone would not bound memory.
    """
    size = len(text)
    if size < LARGE:
        return size
    return size + _ELEMENT_BYTES * text.count(",") + _CONTAINER_BYTES * (text.count("[") + text.count("{"))


@dataclass(frozen=True, slots=True)
class Gap:
    """A place in a stream where items may be missing.

    Attributes:
        dropped: Number of items that were dropped here because the reader was slow.
        downtime: Time without a connection here, in seconds.
    """

    dropped: int
    downtime: float

    def __add__(self, other: Gap) -> Gap:
        return Gap(self.dropped + other.dropped, self.downtime + other.downtime)


class Source(Protocol):
    """The producer of a buffer's items."""

    def remove(self, buffer: Buffer[Any], /) -> None:
        """Stop filling `buffer`; an unknown one is ignored."""
        ...

    def drop(self, buffer: Buffer[Any], /) -> None:
        """Stop filling `buffer` soon. Called by the garbage collector, in any thread and between any two steps."""
        ...


class Buffer(Generic[T]):
    """A bounded buffer between a producer that never waits and a reader that may be slow.

    An item that arrives while the buffer is empty is always kept, however large, so a fast reader misses nothing.

    Args:
        size: Maximum number of items.
        overflow: The item that is dropped when the buffer is full: the oldest, the newest, or all but the newest; or
            the buffer ends and its reader gets an error.
        gaps: Whether to insert a `Gap` where items are missing.
        max_bytes: Maximum weight of the items together.
        on_dropped: Called whenever items were dropped, with their number so far.
    """

    __slots__ = (
        "_first",
        "_max_bytes",
        "_on_dropped",
        "_overflow",
        "_size",
        "_weight",
        "dropped",
        "ended",
        "failure",
        "gaps",
        "items",
        "overrun",
        "readers",
    )

    def __init__(
        self,
        size: int,
        *,
        overflow: Overflow = "drop_oldest",
        gaps: bool = False,
        max_bytes: int = MAX_BYTES,
        on_dropped: Callable[[int], None] | None = None,
    ) -> None:
        self._size = 1 if overflow == "latest" else size
        self._max_bytes = max_bytes
        self._overflow = overflow
        self._on_dropped = on_dropped
        self._weight = 0
        self._first = 0
        """Number of the first item, counted from the first that was ever put."""
        self.items: deque[tuple[T, int]] = deque()
        """The items, each with its weight."""
        self.gaps: dict[int, Gap] | None = {} if gaps else None
        """The gaps, by the number of the item that follows."""
        self.readers: list[asyncio.Future[None]] = []
        """The futures of tasks that wait for the next item."""
        self.dropped: int = 0
        """Number of items that were dropped because the buffer was full."""
        self.ended: bool = False
        """Whether no more items are accepted; the buffered ones can still be read."""
        self.failure: Exception | None = None
        """The reason why no items come at present; None while they may."""
        self.overrun: QueueFull | None = None
        """The error of a buffer that ended because it was full."""

    def put(self, item: T, weight: int = 0) -> int:
        """Add an item, unless the buffer has ended, and wake waiting tasks; return the number of dropped items."""
        if self.ended:
            return 0
        items = self.items
        total = self._weight + weight
        dropped = 0
        if len(items) < self._size and (total <= self._max_bytes or not items):
            items.append((item, weight))
            self._weight = total
        else:
            dropped = self._put_into_full(item, weight)
        if self.readers:
            self._wake()
        return dropped

    def interrupted(self, downtime: float) -> None:
        """Mark a gap of `downtime` seconds without a connection."""
        if self.gaps is not None:
            self._mark(self._first + len(self.items), Gap(0, downtime))
            self._wake()

    def fail(self, failure: Exception | None) -> None:
        """Make the iteration raise `failure` after the buffered items; None undoes that."""
        self.failure = failure
        self._wake()

    def end(self) -> None:
        """End the iteration after the buffered items."""
        self.ended = True
        self._wake()

    def discard(self) -> None:
        """End the iteration, and discard the buffered items."""
        self.ended = True
        self.items.clear()
        self._weight = 0

    def peek(self) -> T | Gap:
        """Return the oldest item, or the gap before it.

        Raises:
            IndexError: There is none.
        """
        gaps = self.gaps
        return gaps[self._first] if gaps and self._first in gaps else self.items[0][0]

    def pop(self) -> T | Gap:
        """Remove and return the oldest item, or the gap before it.

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

    def _put_into_full(self, item: T, weight: int) -> int:
        before = self.dropped
        if self._overflow == "drop_newest":
            self.dropped += 1
            self._mark(self._first + len(self.items), Gap(1, 0.0))
        elif self._overflow == "close":
            self.dropped += 1
            self.ended = True
            self.overrun = QueueFull(
                f"the reader was too slow: {len(self.items)} items of {self._weight} bytes were waiting already and "
                "overflow is 'close'; read faster, raise buffer or buffer_bytes, or choose what is dropped"
            )
        else:
            while self.items and (len(self.items) >= self._size or self._weight + weight > self._max_bytes):
                self._drop_first()
            self.items.append((item, weight))
            self._weight += weight
        if self._on_dropped is not None:
            self._on_dropped(self.dropped)
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

    def _wake(self) -> None:
        # In a browser a reader may continue within `set_result` and wait again, so the list is replaced first.
        readers, self.readers = self.readers, []
        for reader in readers:
            settle(reader)


class Listener(Generic[T]):
    """An async iterator over items, from the moment it was made until `aclose()` or the end of the client.

    It is also an async context manager. The end of the block, or dropping the listener, ends it. Cancelling a task that
    waits for the next item loses no item. When the client gives up (status FAILED), the iteration raises the reason;
    after a new `connect()` it continues.

    Args:
        buffer: The buffer to read.
        source: Fills the buffer until the listener is closed or dropped.
        convert: Converts each item in the reader's own task; None leaves items unchanged.
        owner: An object that the listener keeps alive: the client, without which no items come.
        affinity: The only event loop on which to wait; None does not check.
    """

    __slots__ = ("__weakref__", "_buffer", "_convert", "_affinity", "_owner", "_source")

    def __init__(
        self,
        buffer: Buffer[Any],
        source: Source,
        *,
        convert: Callable[[Any], T] | None = None,
        owner: object = None,
        affinity: LoopAffinity | None = None,
    ) -> None:
        self._affinity = affinity
        self._buffer = buffer
        self._source = source
        self._convert = convert
        self._owner = owner

    @property
    def dropped(self) -> int:
        """Number of items that were dropped because the buffer was full."""
        return self._buffer.dropped

    def __len__(self) -> int:
        return len(self._buffer)

    async def batch(self) -> list[T]:
        """Wait for at least one item, and return all that are buffered. An empty list means the iteration has ended.

        Reading many items at a time costs less work at high rates. The errors are those of the iteration: an item that
        cannot be converted ends the batch before it, and the next call raises. Cancelling it loses no item.
        """
        try:
            items: list[Any] = [await self.__anext__()]
        except StopAsyncIteration:
            return []
        buffer, convert = self._buffer, self._convert
        while buffer:
            item: Any = buffer.peek()
            if convert is not None and not isinstance(item, Gap):
                try:
                    item = convert(item)
                except Exception:
                    break
            items.append(item)
            buffer.pop()
        return items

    async def aclose(self) -> None:
        """Stop listening. Idempotent."""
        self._source.remove(self._buffer)
        self._buffer.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        buffer = self._buffer
        while not buffer.items and not buffer.gaps:
            self._check()
            reader = new_waiter()
            buffer.readers.append(reader)
            try:
                await reader
            except BaseException:
                # A reader that was woken has been removed already.
                if reader in buffer.readers:
                    buffer.readers.remove(reader)
                raise
        convert = self._convert
        # With gaps=True a `Gap` is part of the type T.
        item: Any = buffer.pop()
        if convert is None or isinstance(item, Gap):
            return item  # type: ignore[no-any-return]
        return convert(item)

    def _check(self) -> None:
        """Raise the reason why no item can be waited for, if there is one."""
        buffer = self._buffer
        failure = buffer.overrun or (None if buffer.ended else buffer.failure)
        if failure is not None:
            # Without the frames of earlier raises, which would accumulate.
            raise failure.with_traceback(None)
        if buffer.ended:
            raise StopAsyncIteration
        if self._affinity is not None:
            self._affinity.check_waiting()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # The attribute is missing if the constructor was called with wrong arguments.
        buffer: Buffer[Any] | None = getattr(self, "_buffer", None)
        if buffer is not None and not buffer.ended:
            buffer.discard()
            self._source.drop(buffer)
