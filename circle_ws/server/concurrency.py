"""Limits on methods that run at the same time: the async ones of each client, and all those in threads."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, RpcError
from ..jsonrpc.messages import LIMIT_EXCEEDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..jsonrpc.methods import Function

__all__ = ["MAX_THREADS", "ConcurrencyLimit", "in_thread", "not_counted"]

MAX_THREADS = 512
"""Maximum number of threads of one circle's methods, those of lost clients included; one client alone gets 257."""

_limit: ContextVar[ConcurrencyLimit | None] = ContextVar("_limit", default=None)
"""The limit under which the current task runs a method."""


class ConcurrencyLimit:
    """A limit on one client's running methods: while they are over the maximum, its messages wait unread.

    Args:
        maximum: How many may run before the reader waits.
    """

    __slots__ = ("_has_space", "_maximum", "_running")

    def __init__(self, maximum: float) -> None:
        self._maximum = maximum
        self._running = 0
        self._has_space = asyncio.Event()
        self._has_space.set()

    def enter(self) -> None:
        """Count one more."""
        self._running += 1
        self._update()

    def leave(self) -> None:
        """Count one less."""
        self._running -= 1
        self._update()

    def mark_task(self) -> None:
        """Note in the current task's context that it is counted here, for `not_counted`."""
        _limit.set(self)

    async def wait_for_space(self) -> None:
        """Return when no more run than the maximum, or when the limit is closed."""
        while not self._has_space.is_set():
            await self._has_space.wait()

    def close(self) -> None:
        """End every wait, now and later: the client is gone."""
        self._maximum = math.inf
        self._update()

    def _update(self) -> None:
        if self._running <= self._maximum:
            self._has_space.set()
        else:
            self._has_space.clear()


@contextmanager
def not_counted() -> Iterator[None]:
    """Do not count the current method while it waits for a client's reply.

    At the maximum nothing is read, not even replies: methods that wait for them would never end.
    """
    limit = _limit.get()
    if limit is None:
        yield
        return
    limit.leave()
    try:
        yield
    finally:
        # Counted again at once: waiting for space could block other methods for ever. New requests wait instead.
        limit.enter()


def in_thread(function: Function, free: threading.Semaphore) -> Function:
    """Return an async function that runs `function` in a thread of its own.

    Not in a pool: methods that call their client, which calls another method, could fill any pool and wait there for
    ever. Each client's are limited like all its methods, and over `MAX_THREADS` they are refused: a thread outlives its
    client, which could come back and start as many more.

    Args:
        function: The method.
        free: How many threads more there may be; released when the function returns.

    Raises:
        ConfigError: The function is async.
    """
    if inspect.iscoroutinefunction(function):
        raise ConfigError("thread=True is for plain functions: an async one runs on the event loop", option="thread")

    # Its signature is that of the function, which is found through `__wrapped__`.
    @functools.wraps(function)
    async def run(*arguments: Any, **named: Any) -> Any:
        # The outcome is handed over as a value: in a future or a task, some exceptions mean something else.
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
        # `SystemExit` and the like end this thread, and not the circle.
        result = None, RuntimeError(f"the method raised {type(error).__name__}")
    # Released first: a caller that has the result may call the next method at once.
    free.release()
    outcome.set_result(result)
