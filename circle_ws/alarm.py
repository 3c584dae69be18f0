"""One task's wait that others can end early."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .call import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["Alarm", "Rang"]


class Rang(Exception):
    """It rang, or the time is over."""


class Alarm:
    """Let one task at a time wait, for something or for a time, until somebody rings."""

    __slots__ = ("_limit", "_waiter")

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._limit: asyncio.Timeout | None = None

    async def wait(self, until: float | None = None) -> None:
        """Return when it rings, or at the time `until` on the event loop's clock."""
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(max(until - loop.time(), 0), settle, waiter) if until is not None else None
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()

    async def wait_for(self, awaited: Awaitable[Any], until: float | None) -> Any:
        """Wait for something, up to the time `until`, but no longer than until it rings.

        Raises:
            Rang: It rang, or the time is over.
        """
        limit = self._limit = asyncio.timeout_at(until)
        try:
            async with limit:
                return await awaited
        except TimeoutError:
            if limit.expired():
                raise Rang from None
            raise
        finally:
            self._limit = None

    def ring(self) -> None:
        """End the wait."""
        if self._waiter is not None:
            settle(self._waiter)
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())
