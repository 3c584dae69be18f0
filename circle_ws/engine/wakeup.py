"""One task's wait that others can end early."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .pending_call import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["Alarm"]


class Alarm:
    """A wait of one task that ends when the alarm rings.

    It is level-triggered: one that rang since the last wait ends the next wait at once. So whoever waits looks at what
    there is to do after every wait.
    """

    __slots__ = ("_rang", "_waiter")

    def __init__(self) -> None:
        self._rang = False
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self, until: float | None = None) -> None:
        """Return when it rings or has rung since the last wait, or at the time `until` on the event loop's clock."""
        if not self._rang:
            loop = asyncio.get_running_loop()
            self._waiter = waiter = loop.create_future()
            timer = loop.call_later(max(until - loop.time(), 0), settle, waiter) if until is not None else None
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        self._rang = False

    async def wait_for(self, awaited: asyncio.Future[Any], until: float | None) -> None:
        """Return as `wait`, or when `awaited` is done; that is left as it is."""
        awaited.add_done_callback(self._done)
        try:
            await self.wait(until)
        finally:
            awaited.remove_done_callback(self._done)

    def ring(self) -> None:
        """End the present wait, or the next one."""
        self._rang = True
        if self._waiter is not None:
            settle(self._waiter)

    def _done(self, awaited: Awaitable[Any]) -> None:
        self.ring()
