"""An interruptible wait of one task, and the one way to resolve a future that may be done already."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any

__all__ = ["Wakeup", "settle"]


class Wakeup:
    """An interruptible, level-triggered sleep of one task.

    A `wake()` since the last wait ends the next wait at once, so none is lost: the task looks at what there is to do
    after every wait.
    """

    __slots__ = ("_waiter", "_woken")

    def __init__(self) -> None:
        self._woken = False
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self, until: float = inf) -> None:
        """Return when woken, now or since the last wait, or at the time `until` on the event loop's clock."""
        if not self._woken:
            loop = asyncio.get_running_loop()
            self._waiter = waiter = loop.create_future()
            timer = loop.call_later(max(until - loop.time(), 0), settle, waiter) if until < inf else None
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        self._woken = False

    async def wait_for(self, awaited: asyncio.Future[Any], until: float) -> None:
        """Return as `wait` does, or when `awaited` is done, which is neither cancelled nor read."""
        awaited.add_done_callback(self._done)
        try:
            await self.wait(until)
        finally:
            awaited.remove_done_callback(self._done)

    def wake(self) -> None:
        """End the present wait, or the next one."""
        self._woken = True
        if self._waiter is not None:
            settle(self._waiter)

    def _done(self, awaited: asyncio.Future[Any]) -> None:
        self.wake()


def settle(future: asyncio.Future[Any], result: Any = None) -> None:
    """Resolve a future that may be done already."""
    if not future.done():
        try:
            future.set_result(result)
        except RuntimeError:
            # The loop is closed, so the task that waited for it is gone; `call_soon` refuses to wake it.
            if not future.get_loop().is_closed():
                raise
