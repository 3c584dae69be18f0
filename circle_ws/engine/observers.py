"""Where the status stands and who watches it. There is one writer: the supervisor."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ..status import TRANSITIONS, ConnectionStatus, StatusChange
from ..transport.waiter import hold_back
from .callbacks import Callbacks
from .connection_log import ConnectionLog
from .listener import Buffer, Listener
from .wakeup import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop_affinity import LoopAffinity

__all__ = ["StatusPublisher", "StatusChanges"]

KEPT_FOR_SLOW_READERS = 256

_ON_THE_WAY = frozenset({ConnectionStatus.CONNECTING, ConnectionStatus.AUTHENTICATING, ConnectionStatus.WAITING})
"""While it is one of these nobody knows yet how the attempt to connect will end."""


class StatusChanges(Listener[StatusChange]):
    """Iterate over the changes of status, the present one first; it ends after CLOSED."""

    __slots__ = ()

    @property
    def skipped(self) -> int:
        """How many changes a slow reader has missed."""
        return self.dropped


class StatusPublisher:
    """Hold the status; tell listeners, callbacks, waiters and the log of each change.

    Args:
        url: The circle's, for the log.
    """

    __slots__ = ("_callbacks", "_buffers", "_log", "_waiters", "last")

    def __init__(self, url: str) -> None:
        self._log = ConnectionLog(url)
        self.last = StatusChange(ConnectionStatus.IDLE, ConnectionStatus.IDLE, time.time())
        """The latest change."""
        # A dict, as one step takes a buffer out of it: a collector may do that between any two.
        self._buffers: dict[Buffer[Any], None] = {}
        self._callbacks: Callbacks[StatusChange] = Callbacks("status")
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def has_callbacks(self) -> bool:
        """Whether anybody is called back."""
        return len(self._callbacks) > 0

    @property
    def status(self) -> ConnectionStatus:
        """The present status."""
        return self.last.status

    def set(
        self,
        status: ConnectionStatus,
        *,
        attempt: int = 0,
        retry_in: float | None = None,
        cause: BaseException | None = None,
    ) -> None:
        """Write a new status. Only the supervisor does."""
        previous = self.last.status
        if status not in TRANSITIONS[previous]:
            raise RuntimeError(f"{previous} -> {status} is not a legal transition; this is a fault of circle-ws")
        self.last = change = StatusChange(status, previous, time.time(), attempt, retry_in, cause)
        self._log.note(change)
        for buffer in list(self._buffers):
            buffer.put(change)
            if status is ConnectionStatus.CLOSED:
                buffer.end()
        self._callbacks.tell(change)
        if self._waiters and status not in _ON_THE_WAY:
            for waiter in self._waiters:
                settle(waiter)
            self._waiters.clear()
        hold_back()

    def changes(self, owner: object = None, affinity: LoopAffinity | None = None) -> StatusChanges:
        """Give an iterator over the changes, the present status first; `owner` and `home` are those of `Listener`."""
        buffer: Buffer[StatusChange] = Buffer(KEPT_FOR_SLOW_READERS)
        last = self.last
        buffer.put(StatusChange(last.status, last.status, last.at, last.attempt, last.retry_in, last.cause))
        if last.status is ConnectionStatus.CLOSED:
            buffer.end()
        else:
            self._buffers[buffer] = None
        return StatusChanges(buffer, self, owner=owner, affinity=affinity)

    def remove(self, buffer: Buffer[Any]) -> None:
        """Tell `buffer` of no more changes; one that is told of none is ignored."""
        self._buffers.pop(buffer, None)

    def drop(self, buffer: Buffer[Any]) -> None:
        """Tell `buffer` of no more changes; may be called in any thread."""
        self._buffers.pop(buffer, None)

    def on_change(self, callback: Callable[[StatusChange], object]) -> Callable[[], None]:
        """Call back at each change; gives a function that ends it."""
        return self._callbacks.add(callback)

    async def changed(self) -> None:
        """Return at the next change."""
        async with self.changes() as changes:
            # The first is the present status.
            await anext(changes)
            await anext(changes)

    async def settled(self) -> None:
        """Return at the next change to a status that an attempt to connect ends with."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
