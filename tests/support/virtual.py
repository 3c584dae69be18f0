"""An event loop whose clock moves only on command, so that tests of long times take none.

It does no I/O, so it also runs inside Pyodide, from synchronous code, while the page's own loop stands still.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "outside_of_any_loop"]

_Result = TypeVar("_Result")

_RESOLUTION = 1e-6
_MOST_TURNS = 10_000


class VirtualLoop(asyncio.BaseEventLoop):
    """Run callbacks turn by turn; time passes in `advance` and `run` alone.

    Attributes:
        reports: What was reported to the loop's exception handler.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = _RESOLUTION
        # What the base class asks for events is this loop itself: there are none, time passes instead.
        self._selector = self
        self.reports: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, report: self.reports.append(report))

    # What is asked of a loop.

    def time(self) -> float:
        """Return the time, in seconds since the loop was made."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Advance the clock instead of waiting."""
        assert timeout is not None, "nothing is ready and no timer is set: this would wait for ever"
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """No other thread wakes it."""

    # Driving it, from synchronous code.

    @property
    def quiet(self) -> bool:
        """Whether no callback is ready: what happens next is up to a timer."""
        return not self._ready  # type: ignore[attr-defined]

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are set."""
        handles: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return [handle for handle in handles if not handle.cancelled()]

    def do(self, action: Callable[[], _Result]) -> _Result:
        """Run a plain function inside the loop, in one turn, and return its result."""
        outcome: list[_Result] = []
        self.call_soon(lambda: outcome.append(action()))
        self.turn()
        return outcome[0]

    def turn(self) -> None:
        """Run what is ready now, once."""
        self.call_soon(self.stop)
        self._run()

    def settle(self) -> None:
        """Run until nothing is ready; no time passes."""
        for _ in range(_MOST_TURNS):
            if self.quiet:
                return
            self.turn()
        raise AssertionError(f"still busy after {_MOST_TURNS} turns in which no time passed")

    def advance(self, seconds: float) -> None:
        """Advance the clock, and run what falls due."""
        self.settle()
        timer = self.call_at(self._now + seconds, self.stop)
        try:
            self._run()
        finally:
            timer.cancel()
        self.settle()

    def run(self, coroutine: Coroutine[Any, Any, _Result], limit: float = 3600.0) -> _Result:
        """Run a coroutine to its end, letting time pass, but no more than `limit` seconds of it."""

        async def limited() -> _Result:
            async with asyncio.timeout(limit):
                return await coroutine

        task = self.create_task(limited())
        task.add_done_callback(lambda _: self.stop())
        self._run()
        return task.result()

    def _run(self) -> None:
        with outside_of_any_loop():
            self.run_forever()


@contextlib.contextmanager
def outside_of_any_loop() -> Iterator[None]:
    """Step out of the running loop, and of its task, for as long as the block runs: inside Pyodide there is one."""
    running = asyncio._get_running_loop()
    if running is None:
        yield
        return
    task = asyncio.current_task(running)
    if task is not None:
        asyncio.tasks._leave_task(running, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(running)
        if task is not None:
            asyncio.tasks._enter_task(running, task)
