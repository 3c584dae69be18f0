"""Waits of several event loops for one another: a test may use a client here and a blocking one in another thread."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bell", "wake"]


class Bell:
    """Wakes tasks that wait for a condition, whichever loops they run on."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds, at once if it does; it is looked at again at each `ring()`."""
        while not condition():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                # Looked at again: another thread may have rung before the waiter was there.
                if not condition():
                    await waiter
            finally:
                self._waiters.remove(waiter)

    def ring(self) -> None:
        """Have all that wait look at their conditions again."""
        for waiter in self._waiters.copy():
            wake(waiter)


def wake(waiter: asyncio.Future[None]) -> None:
    """Resolve a future of any loop, from any thread, unless it is done or its loop has ended."""
    loop = waiter.get_loop()
    if loop is asyncio._get_running_loop():
        _settle(waiter)
        return
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_settle, waiter)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
