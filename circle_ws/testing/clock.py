"""Time that passes by itself as soon as nothing else is left to do."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import sys
import time
from typing import TYPE_CHECKING, Any

from ..engine import clock as engine_clock
from ..errors import UnsupportedRuntime

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from types import TracebackType
    from typing import Self

__all__ = ["VirtualTime", "virtual_time"]

_METHODS = ("time", "call_soon", "call_at", "call_later")
"""What of the loop is replaced while a block runs."""


def virtual_time(*, limit: float | None = 3600.0) -> VirtualTime:
    """Return an async context manager inside of which time takes no time, on the running event loop.

    ```python
    async with virtual_time() as clock, circle.connect() as client:
        circle.refuse(5)
        ...
        assert clock.elapsed < 60
    ```

    Whatever the block starts lives in it: back-offs, time-outs and heartbeats of clients, delays of a `Circle`,
    `asyncio.sleep` and `asyncio.timeout` of the program itself. Time stands still while anything runs, and then leaps
    to the next timer; so what happens, and when, is the same in every run. Two things keep their own time: timers that
    were set before the block, so a client should be connected inside of it; and what happens outside of the loop, such
    as threads, real sockets, a page's promises: time does not wait for them, and limits on them pass at once.

    Args:
        limit: How much time may pass in the block, in seconds, before it fails: heartbeats alone would go on for ever.
            None means no limit.

    Raises:
        RuntimeError: Inside of another such block.
        UnsupportedRuntime: The event loop is neither asyncio's own nor that of a page.
        AssertionError: The limit has passed.
    """
    return VirtualTime(math.inf if limit is None else limit)


class VirtualTime:
    """The clock of a block of `virtual_time`.

    Args:
        limit: In seconds; infinity means no limit.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = itertools.count()
        self._left = 0
        """How many callbacks were scheduled and have not run."""
        self._began = self._now = 0.0
        self._wall = 0.0

    @property
    def elapsed(self) -> float:
        """How much time has passed in the block, in seconds."""
        return round(self._now - self._began, 9)

    async def __aenter__(self) -> Self:
        self._install(asyncio.get_running_loop())
        self._scope = asyncio.timeout(None)
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, trace)
        except TimeoutError:
            words = f"the block still waits after {self._limit:g} s of virtual time; what it waits for never comes"
            raise AssertionError(words) from error
        finally:
            self._uninstall()

    # On and off. The methods are replaced on this one loop, as a page's cannot be exchanged for another.

    def _install(self, loop: asyncio.AbstractEventLoop) -> None:
        if isinstance(getattr(loop.time, "__self__", None), VirtualTime):
            raise RuntimeError("virtual_time() is used inside of itself; one block is enough")
        self._loop = loop
        # On asyncio's loops `call_later` calls `call_at`, and in a page `call_soon` calls `call_later`.
        self._soon = loop.call_soon if isinstance(loop, asyncio.BaseEventLoop) else _soon_in_a_page(loop)
        self._real_time = loop.time
        # Whole seconds, so that sums of the usual delays are exact.
        self._began = self._now = float(math.ceil(loop.time()))
        self._wall = float(math.floor(time.time()))
        try:
            for name in _METHODS:
                setattr(loop, name, getattr(self, name))
        except AttributeError:
            kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
            raise UnsupportedRuntime(
                f"virtual_time() needs asyncio's own event loop, or that of a page; the running one is {kind}"
            ) from None
        engine_clock.wall_time = self._wall_time
        # It runs after what was scheduled before the block, and until then time stands still.
        self.call_soon(_nothing)

    def _uninstall(self) -> None:
        engine_clock.wall_time = time.time
        for name in _METHODS:
            delattr(self._loop, name)
        for when, _, timer in sorted(self._timers):
            if not timer.cancelled():
                self._loop.call_later(when - self._now, _run, timer)
        self._timers.clear()

    def _wall_time(self) -> float:
        mine = asyncio._get_running_loop() is self._loop
        return self._wall + self._now - self._began if mine else time.time()

    # What the loop does instead.

    def time(self) -> float:
        """Return the virtual time; asyncio's loop itself, which runs the timers of before, gets the real one."""
        return self._real_time() if sys._getframe(1).f_code.co_name == "_run_once" else self._now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Schedule a callback."""
        handle = asyncio.Handle(callback, args, self._loop, context)
        self._schedule(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer that runs when nothing else is left to do."""
        timer = asyncio.TimerHandle(when, callback, args, self._loop, context)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        if not self._left:
            # By what the loop was told from outside.
            self.call_soon(_nothing)
        return timer

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer that runs when nothing else is left to do."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _schedule(self, handle: asyncio.Handle) -> None:
        # Always run, as a handle that was cancelled must be counted too.
        self._left += 1
        self._soon(self._step, handle)

    def _step(self, handle: asyncio.Handle) -> None:
        try:
            if not handle.cancelled():
                handle._run()
        finally:
            self._left -= 1
            if not self._left:
                self._leap()

    def _leap(self) -> None:
        """Advance to the next timer: nothing else is left to do."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if self._timers:
            self._now = max(self._now, self._timers[0][0])
            if self.elapsed > self._limit and self._scope.when() is None:
                self._scope.reschedule(self._now)
            while self._timers and self._timers[0][0] <= self._now:
                self._schedule(heapq.heappop(self._timers)[2])


def _soon_in_a_page(loop: asyncio.AbstractEventLoop) -> Callable[..., asyncio.Handle]:
    call_later = loop.call_later
    return lambda callback, *args, context=None: call_later(0, callback, *args, context=context)


def _nothing() -> None:
    """Do nothing, so that after it nothing is left to do."""


def _run(timer: asyncio.TimerHandle) -> None:
    if not timer.cancelled():
        timer._run()
