"""Where the status stands and who watches it. There is one writer: the supervisor."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from .call import settle
from .callbacks import Callbacks
from .listener import Listener
from .status import TRANSITIONS, ConnectionStatus, StatusChange
from .waiter import hold_back
from .weakly import WeakGroup

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StatusBoard", "StatusChanges"]

_logger = logging.getLogger("circle_ws")

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


class StatusBoard:
    """Hold the status; tell listeners, callbacks and waiters of each change."""

    __slots__ = ("_callbacks", "_listeners", "_waiters", "last")

    def __init__(self) -> None:
        self.last = StatusChange(ConnectionStatus.IDLE, ConnectionStatus.IDLE, time.time())
        """The latest change."""
        self._listeners: WeakGroup[Listener[StatusChange]] = WeakGroup()
        self._callbacks: Callbacks[StatusChange] = Callbacks("status")
        self._waiters: list[asyncio.Future[None]] = []

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
        assert status in TRANSITIONS[previous], f"{previous} -> {status} is not a legal transition"
        self.last = change = StatusChange(status, previous, time.time(), attempt, retry_in, cause)
        if _logger.isEnabledFor(logging.DEBUG):
            _logger.debug("status %s -> %s", previous.value, status.value)
        for listener in self._listeners.alive():
            listener.put(change)
            if status is ConnectionStatus.CLOSED:
                listener.end()
        self._callbacks.tell(change)
        if self._waiters and status not in _ON_THE_WAY:
            for waiter in self._waiters:
                settle(waiter)
            self._waiters.clear()
        hold_back()

    def changes(self) -> StatusChanges:
        """Give an iterator over the changes, the present status first."""
        listener = StatusChanges(KEPT_FOR_SLOW_READERS, self._forget)
        last = self.last
        listener.put(StatusChange(last.status, last.status, last.at, last.attempt, last.retry_in, last.cause))
        if last.status is ConnectionStatus.CLOSED:
            listener.end()
        else:
            self._listeners.add(listener)
        return listener

    def on_change(self, callback: Callable[[StatusChange], object]) -> Callable[[], None]:
        """Call back at each change; gives a function that ends it."""
        return self._callbacks.add(callback)

    async def settled(self) -> None:
        """Return at the next change to a status that an attempt to connect ends with."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _forget(self, listener: Listener[StatusChange]) -> None:
        self._listeners.discard(listener)
