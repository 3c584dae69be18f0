"""Methods that run in a thread, so that one that computes or blocks holds up nobody else."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, RpcError
from ..jsonrpc.codes import LIMIT_EXCEEDED

if TYPE_CHECKING:
    from ..jsonrpc.methods import Function

__all__ = ["MAX_THREADS", "in_thread"]

MAX_THREADS = 512
"""So many threads of methods a circle has at the same time, of clients that are gone too; one client alone gets 257."""


def in_thread(function: Function, free: threading.Semaphore) -> Function:
    """Make an async function that runs `function` in a thread of its own.

    Of its own and not of a pool's: methods that call their client, which calls another method, could fill any pool and
    wait there for ever. How many run is limited as it is for every method of a client, and over `MAX_THREADS` they are
    refused: they go on when their client goes, and another would have as many more.

    Args:
        function: The method.
        free: How many threads more there may be; given back when the function returns.

    Raises:
        ConfigError: The function is async.
    """
    if inspect.iscoroutinefunction(function):
        raise ConfigError("thread=True is for plain functions: an async one runs on the event loop", option="thread")

    # Its signature is that of the function, which is looked at through `__wrapped__`.
    @functools.wraps(function)
    async def run(*arguments: Any, **named: Any) -> Any:
        # An outcome is handed over as a value: some exceptions mean something else in a future, or in a task.
        outcome: Future[tuple[Any, BaseException | None]] = Future()
        outcome.set_running_or_notify_cancel()
        work = functools.partial(copy_context().run, function, *arguments, **named)
        thread = threading.Thread(target=_work, args=(work, outcome, free), name="circle method", daemon=True)
        if not free.acquire(blocking=False):
            raise RpcError(
                LIMIT_EXCEEDED, f"this circle runs {MAX_THREADS} methods in threads already; try again later"
            )
        try:
            thread.start()
        except BaseException:
            free.release()
            raise
        result, error = await asyncio.wrap_future(outcome)
        if error is not None:
            raise error
        return result

    return run


def _work(
    work: functools.partial[Any], outcome: Future[tuple[Any, BaseException | None]], free: threading.Semaphore
) -> None:
    result: tuple[Any, BaseException | None]
    try:
        result = work(), None
    except Exception as error:
        result = None, error
    except BaseException as error:
        # The end of this thread, and not of the circle.
        result = None, RuntimeError(f"the method raised {type(error).__name__}")
    # First: who has the result may call the next method at once.
    free.release()
    outcome.set_result(result)
