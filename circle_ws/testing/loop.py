"""One event loop for the whole session: of our own natively, the page's in WebAssembly.

Creating or setting a loop in WebAssembly breaks the page's own, so there `run` switches stacks (JSPI).
"""

import asyncio
import functools
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["get_loop", "limited", "run", "settle", "shut"]

_Result = TypeVar("_Result")

if sys.platform == "emscripten":
    from pyodide.ffi import run_sync

    def get_loop() -> asyncio.AbstractEventLoop:
        """Return the page's loop."""
        return asyncio.get_running_loop()

    def shut() -> None:
        """The page's loop goes on."""

    def _drive(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        result: _Result = run_sync(coroutine)
        return result

else:

    @functools.cache
    def _runner() -> asyncio.Runner:
        return asyncio.Runner()

    def get_loop() -> asyncio.AbstractEventLoop:
        """Return the loop that `run` uses."""
        return _runner().get_loop()

    def shut() -> None:
        """End the loop of the session."""
        if _runner.cache_info().currsize:
            _runner().close()
            _runner.cache_clear()

    def _drive(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        return _runner().run(coroutine)


def run(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end, from synchronous code."""
    outcome: list[_Result] = []
    failure: list[BaseException] = []

    async def catch() -> None:
        # WebLoop reports a failed task to its exception handler even when another task awaits it.
        try:
            outcome.append(await coroutine)
        except BaseException as error:
            failure.append(error)

    _drive(catch())
    if failure:
        raise failure[0]
    return outcome[0]


async def limited(coroutine: Coroutine[Any, Any, _Result], seconds: float) -> _Result:
    """Await a coroutine; one that runs for longer than `seconds` fails with words."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await coroutine
    except TimeoutError as error:
        if limit.expired():
            raise AssertionError(f"still running after its limit of {seconds:g} s") from error
        raise


async def settle(turns: int = 10) -> None:
    """Run the loop until cancelled tasks have ended."""
    for _ in range(turns):
        await asyncio.sleep(0)
