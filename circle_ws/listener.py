"""A bounded buffer that a task can wait on: what `notifications()` and `status_changes()` give out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .buffer import Buffer, Gap, Overflow
from .call import settle
from .waiter import new_waiter

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

__all__ = ["Listener"]

T = TypeVar("T")


class Listener(Buffer[T]):
    """Iterate over what happens, from the moment it was made until `aclose()` or the end of the client.

    It is an async context manager and an async iterator. Leaving the block, or simply dropping the listener, ends it.
    Cancelling a task that waits for the next item loses no item. When the client gives up (status FAILED) the iteration
    raises what it gave up for; after a new `connect()` it goes on.

    Args:
        size: How many unread items are kept.
        forget: Called once when the listener is closed.
        overflow: What is dropped when it is full; `dropped` counts it.
        gaps: Also give a `Gap` where something may be missing.
        convert: Makes what is given out from what was put, in the reader's own task; None changes nothing.
    """

    __slots__ = ("_convert", "_forget", "_readers")

    def __init__(
        self,
        size: int,
        forget: Callable[[Listener[T]], None],
        *,
        overflow: Overflow = "drop_oldest",
        gaps: bool = False,
        convert: Callable[[Any], T] | None = None,
    ) -> None:
        super().__init__(size, overflow=overflow, gaps=gaps)
        self._forget = forget
        self._convert = convert
        self._readers: list[asyncio.Future[None]] = []

    def put(self, item: T) -> bool:
        """Add one item and wake whoever waits for it; tells whether one was dropped for want of room."""
        full = Buffer.put(self, item)
        if self._readers:
            self._wake()
        return full

    def missed(self, downtime: float) -> None:
        """Learn that for `downtime` seconds nothing could come, and wake whoever wants to know."""
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

    async def aclose(self) -> None:
        """Stop listening. Idempotent."""
        self._forget(self)
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        items = self._items
        while not items and not self._gaps:
            if self.overrun is not None:
                raise self.overrun
            if self.ended:
                raise StopAsyncIteration
            if self.failure is not None:
                raise self.failure
            reader = new_waiter()
            self._readers.append(reader)
            try:
                await reader
            except BaseException:
                # Whoever was woken is out of there.
                if reader in self._readers:
                    self._readers.remove(reader)
                raise
        convert = self._convert
        item = self.pop()
        if convert is None or isinstance(item, Gap):
            # Whoever asks for gaps has them in the type of what it is given.
            return item  # type: ignore[return-value]
        return convert(item)

    def _wake(self) -> None:
        # In a browser a reader may go on right here, and wait anew.
        readers, self._readers = self._readers, []
        for reader in readers:
            settle(reader)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
