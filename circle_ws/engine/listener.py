"""A bounded buffer that a task can wait on: what `notifications()` and `status_changes()` give out.

It has two halves. The `Channel` takes what comes; the producer holds it, and it holds the tasks that wait. The
`Listener` is what the program holds. So a task that waits keeps itself alive, and with it all that its frame refers to,
though the event loop holds tasks only weakly; and a listener that the program drops, with no task waiting on it, takes
its channel out of the producer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..transport.waiter import new_waiter
from .buffer import BUFFER_BYTES, Buffer, Gap
from .wakeup import settle

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from .buffer import Overflow
    from .loop_affinity import LoopAffinity

__all__ = ["Channel", "Listener", "Source"]

T = TypeVar("T")


class Source(Protocol):
    """Where a channel is filled from."""

    def remove(self, channel: Channel[Any], /) -> None:
        """Stop filling `channel`; one that is not known is ignored."""
        ...

    def drop(self, channel: Channel[Any], /) -> None:
        """Stop filling `channel` in due time: called by the garbage collector, in any thread and between any steps."""
        ...


class Channel(Buffer[T]):
    """A buffer that wakes the tasks that wait for its next item. The arguments are those of `Buffer`."""

    __slots__ = ("on_dropped", "readers")

    def __init__(
        self, size: int, *, overflow: Overflow = "drop_oldest", gaps: bool = False, most_bytes: int = BUFFER_BYTES
    ) -> None:
        super().__init__(size, overflow=overflow, gaps=gaps, most_bytes=most_bytes)
        self.readers: list[asyncio.Future[None]] = []
        """What the tasks wait on that wait for the next item."""
        self.on_dropped: Callable[[int], None] | None = None
        """Called with the number of all that were dropped, whenever some more are."""

    def put(self, item: T, weight: int = 0) -> int:
        """Add one item and wake the tasks that wait; return how many were dropped for want of room."""
        dropped = Buffer.put(self, item, weight)
        if self.readers:
            self._wake()
        return dropped

    def _overflowed(self, item: T, weight: int) -> int:
        dropped = super()._overflowed(item, weight)
        if self.on_dropped is not None:
            self.on_dropped(self.dropped)
        return dropped

    def missed(self, downtime: float) -> None:
        """Learn that for `downtime` seconds nothing could come, and wake the tasks that wait."""
        super().missed(downtime)
        self._wake()

    def fail(self, failure: Exception | None) -> None:
        """Let the iteration raise `failure` once what is buffered has been read."""
        super().fail(failure)
        self._wake()

    def end(self) -> None:
        """Let the iteration end once what is buffered has been read."""
        super().end()
        self._wake()

    def _wake(self) -> None:
        # In a browser a reader may go on right here, and wait anew.
        readers, self.readers = self.readers, []
        for reader in readers:
            settle(reader)


class Listener(Generic[T]):
    """Iterate over what happens, from the moment it was made until `aclose()` or the end of the client.

    It is an async context manager and an async iterator. Leaving the block, or simply dropping the listener, ends it.
    Cancelling a task that waits for the next item loses no item. When the client gives up (status FAILED) the iteration
    raises what it gave up for; after a new `connect()` it goes on.

    Args:
        channel: What is read.
        source: Fills it, until the listener is closed or dropped.
        convert: Makes what is given out from what was put, in the reader's own task; None changes nothing.
        owner: Is kept alive by the listener: the client, which nothing comes from once it is gone.
        home: The event loop on which one may wait, and no other; None does not check.
    """

    __slots__ = ("__weakref__", "_channel", "_convert", "_affinity", "_owner", "_source")

    def __init__(
        self,
        channel: Channel[Any],
        source: Source,
        *,
        convert: Callable[[Any], T] | None = None,
        owner: object = None,
        affinity: LoopAffinity | None = None,
    ) -> None:
        self._affinity = affinity
        self._channel = channel
        self._source = source
        self._convert = convert
        self._owner = owner

    @property
    def dropped(self) -> int:
        """How many items were lost because the buffer was full."""
        return self._channel.dropped

    def __len__(self) -> int:
        return len(self._channel)

    async def batch(self) -> list[T]:
        """Wait for at least one item, and take all that are buffered. An empty list says that the iteration has ended.

        A reader that takes many at a time follows a flood with less work. The errors are those of the iteration: an
        item that cannot be converted ends the batch before it, and is raised by the next one. Cancelling it loses no
        item.
        """
        try:
            items: list[Any] = [await self.__anext__()]
        except StopAsyncIteration:
            return []
        channel, convert = self._channel, self._convert
        while channel:
            item: Any = channel.peek()
            if convert is not None and not isinstance(item, Gap):
                try:
                    item = convert(item)
                except Exception:
                    break
            items.append(item)
            channel.pop()
        return items

    async def aclose(self) -> None:
        """Stop listening. Idempotent."""
        self._source.remove(self._channel)
        self._channel.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        channel = self._channel
        items = channel.items
        while not items and not channel.gaps:
            if channel.overrun is not None:
                # Without the frames of those that it was raised for before: they would grow in number for ever.
                raise channel.overrun.with_traceback(None)
            if channel.ended:
                raise StopAsyncIteration
            if channel.failure is not None:
                raise channel.failure.with_traceback(None)
            if self._affinity is not None:
                self._affinity.check_waiting()
            reader = new_waiter()
            channel.readers.append(reader)
            try:
                await reader
            except BaseException:
                # A reader that was woken is out of there.
                if reader in channel.readers:
                    channel.readers.remove(reader)
                raise
        convert = self._convert
        # A program that asks for gaps has them in the type of what it is given.
        item: Any = channel.pop()
        if convert is None or isinstance(item, Gap):
            return item  # type: ignore[no-any-return]
        return convert(item)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # Absent where the constructor was given something wrong.
        channel: Channel[Any] | None = getattr(self, "_channel", None)
        if channel is not None and not channel.ended:
            channel.ended = True
            channel.clear()
            self._source.drop(channel)
