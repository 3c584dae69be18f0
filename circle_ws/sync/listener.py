"""Notifications and changes of status for threads: iterators that block."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..engine.listener import Gap
from ..engine.tasks import DeadlinePassed, deadline_after, within
from ..errors import CallTimeout, CircleWsError, ClientClosed
from ..status import StatusChange

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from ..engine import listener

__all__ = ["Listener", "StatusChanges"]

T = TypeVar("T")


class Listener(Generic[T]):
    """A blocking iterator over items, from the moment it was made until `close()` or the end of the client.

    It is also a context manager. The end of the block, or dropping the listener, ends it. A Ctrl-C, or a `timeout` that
    passes, loses no item. When the client gives up (status FAILED), the iteration raises the reason; after a new
    `connect()` it continues. Several threads may read one listener: each item goes to one of them.

    Args:
        source: The listener of the async client.
        run: Runs a coroutine function on the event loop; a method of the client's, which so stays alive.
        end: The same for what closes something, and may have ended already.
        checked: Checks a timeout.
    """

    __slots__ = ("__weakref__", "_checked", "_convert", "_end", "_run", "_source", "_taken")

    def __init__(
        self,
        source: listener.Listener[Any],
        *,
        run: Callable[..., Any],
        end: Callable[[Callable[[], Coroutine[Any, Any, None]]], None],
        checked: Callable[[float | None], float | None],
    ) -> None:
        self._source = source
        self._run = run
        self._end = end
        self._checked = checked
        # Items are converted by the thread that reads them: `yields` may be a function of the user's.
        self._convert: Callable[[Any], T] | None = source._convert
        source._convert = None
        self._taken: deque[Any] = deque()
        """Items that were taken from the loop, together, and not read yet: each wait takes all that there are."""

    @property
    def dropped(self) -> int:
        """Number of items that were dropped because the buffer was full."""
        return self._source.dropped

    def __len__(self) -> int:
        return len(self._taken) + len(self._source)

    def get(self, timeout: float | None = None) -> T:
        """Wait for the next item and return it.

        Args:
            timeout: In seconds; None waits for ever, 0 takes only what is there.

        Raises:
            CallTimeout: The timeout passed.
            ClientClosed: The client was closed, or this listener, and all items were read.
            CircleWsError: The error that the client failed with.
            InvalidResult: The item does not fit `yields`; the next one can be read.
            QueueFull: The buffer was full, and `overflow` is `close`.
            InvalidRequest: `timeout` is not a number of seconds.
        """
        item, ended = self._next(self._checked(timeout))
        if ended:
            raise ClientClosed("there are no more items: the client or this listener was closed")
        return self._converted(item)

    def batch(self) -> list[T]:
        """Wait for at least one item, and return all that are buffered. An empty list means the iteration has ended.

        Reading many items at a time costs less work at high rates. The errors are those of the iteration: an item that
        cannot be converted ends the batch before it, and the next call raises. A Ctrl-C loses no item.
        """
        while True:
            item, ended = self._next(None)
            if ended:
                return []
            self._taken.appendleft(item)
            if self._source:
                # What came since. If it has failed, the next call says so; another thread may have read it meanwhile.
                with suppress(CircleWsError):
                    self._fill(0)
            if items := self._take_all():
                return items

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._end(self._source.aclose)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        item, ended = self._next(None)
        if ended:
            raise StopIteration
        return self._converted(item)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self, timeout: float | None) -> tuple[Any, bool]:
        """Return the next item, not converted, and whether the iteration has ended instead."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return self._taken.popleft(), False
            except IndexError:
                left = None if until is None else max(until - time.monotonic(), 0)
            # Another thread may read what this one has waited for; then it waits again.
            if not self._fill(left, timeout):
                return None, True

    def _take_all(self) -> list[T]:
        items: list[T] = []
        while True:
            try:
                item = self._taken.popleft()
            except IndexError:
                return items
            try:
                items.append(self._converted(item))
            except Exception:
                if not items:
                    raise
                self._taken.appendleft(item)
                return items

    def _fill(self, left: float | None, timeout: float | None = 0) -> bool:
        """Wait for items and take all that there are; return False if the iteration has ended."""
        filled: bool = self._run(self._take, left, timeout)
        return filled

    async def _take(self, left: float | None, timeout: float | None) -> bool:
        try:
            items = await within(deadline_after(left), self._source.batch())
        except DeadlinePassed:
            raise CallTimeout(f"nothing arrived within {timeout:g} s", phase="notification") from None
        # Nothing is awaited in between, so a thread that gives up loses nothing.
        self._taken.extend(items)
        return bool(items)

    def _converted(self, item: Any) -> T:
        if self._convert is None or isinstance(item, Gap):
            return item  # type: ignore[no-any-return]
        return self._convert(item)


class StatusChanges(Listener[StatusChange]):
    """Blocking iterator over the changes of status, the present one first; it ends after CLOSED."""

    __slots__ = ()

    @property
    def skipped(self) -> int:
        """How many changes a slow reader has missed."""
        return self.dropped
