"""Do a run, and turn whatever becomes of it into an exit code."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from ...bundle import programs
from ...bundle.cache import ToolError
from . import covered
from .launch import Start, launch
from .run import NeverBegan, Run, RunFailed
from .server import RunServer

__all__ = ["perform"]

_MISSING = 3
_BROKEN = 70
_INTERRUPTED = 130

_STARTS = 3
"""How often a runtime is started: on a busy machine a browser may lose its page before it is loaded."""


def perform(runtime: str, make: Callable[[], Run]) -> int:
    """Do a run and return the exit code of its tests, or one that says why there is none.

    Args:
        runtime: Where it is to be.
        make: Returns the run, after the program of the runtime was found.
    """
    try:
        program = programs.find(runtime)
        if program is None:
            raise programs.Missing(programs.advice(runtime))
        return asyncio.run(_execute(make(), program))
    except ToolError as error:
        return _complain(error, error.code)
    except programs.Missing as missing:
        return _complain(missing, _MISSING)
    except RunFailed as failed:
        return _complain(failed, _BROKEN)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _complain("interrupted", _INTERRUPTED)


async def _execute(run: Run, program: Path) -> int:
    """Do one run and return the exit code of its tests.

    Raises:
        RunFailed: when there is none.
    """
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    for left in reversed(range(_STARTS)):
        try:
            return await _start(run, program)
        except NeverBegan as lost:
            if not left:
                raise
            _complain(f"{lost}\nharness: no test has run, so {run.runtime} is started once more", _BROKEN)
    raise AssertionError


async def _start(run: Run, program: Path) -> int:
    """Start the runtime on the run's page and return the exit code of the tests."""
    server = RunServer(run)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server.serve())
        start = Start(program, f"{server.url}/", run.bundle)
        browser = await stack.enter_async_context(launch(run.runtime, start))
        died = asyncio.create_task(browser.process.wait())
        await server.patience.wait(server.result, died)
        if died.done() and not server.result.done():
            # Its last messages may still be on their way.
            await asyncio.wait({server.result}, timeout=1)
        died.cancel()
        code = browser.process.returncode
        if code is not None:
            server.lose(f"{run.runtime} ended with code {code} before its tests did")
        if not server.result.done():
            server.result.cancel()
            raise RunFailed(f"nothing was heard of the page for {run.patience:g} s:\n{browser.last_words()}")
        try:
            result = server.result.result()
        except RunFailed as failed:
            raise type(failed)(f"{failed}\n{browser.last_words()}") from None
    if run.coverage and server.coverage:
        covered.adopt(server.coverage, run.coverage)
    return result


def _complain(words: object, code: int) -> int:
    """Print why the run has no result and return the exit code for it."""
    print(f"harness: {words}", file=sys.stderr, flush=True)
    return code
