"""Methods that run in a thread, so that one that computes or blocks holds up nobody else."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from concurrent.futures import Future
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..jsonrpc.methods import Function

__all__ = ["in_thread"]


def in_thread(function: Function) -> Function:
    """Make an async function that runs `function` in a thread of its own.

    Of its own and not of a pool's: methods that call their client, which calls another method, could fill any pool and
    wait there for ever. How many run is limited as it is for every method of a client.

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
        thread = threading.Thread(target=_work, args=(work, outcome), name="circle method", daemon=True)
        thread.start()
        result, error = await asyncio.wrap_future(outcome)
        if error is not None:
            raise error
        return result

    return run


def _work(work: functools.partial[Any], outcome: Future[tuple[Any, BaseException | None]]) -> None:
    try:
        outcome.set_result((work(), None))
    except Exception as error:
        outcome.set_result((None, error))
    except BaseException as error:
        # The end of this thread, and not of the circle.
        outcome.set_result((None, RuntimeError(f"the method raised {type(error).__name__}")))
