"""Tasks: how one is started and cancelled, work with a deadline, and functions of the user's in tasks of their own."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextvars import Context

__all__ = [
    "DeadlinePassed",
    "Interrupted",
    "UserTasks",
    "cancel_once",
    "deadline_after",
    "is_cancelled",
    "result_of",
    "start_task",
    "within",
]

_logger = logging.getLogger("circle_ws.callbacks")

_SOON = 0.001
"""A deadline that is no further away than this, in seconds, has passed."""

T = TypeVar("T")


class DeadlinePassed(Exception):
    """The deadline of `within` passed. A `TimeoutError` may also come from the work itself."""


class Interrupted(Exception):
    """A user function ended with a cancellation that was not its own task's."""

    def __init__(self) -> None:
        super().__init__("something that it awaited was cancelled")


def start_task(
    coroutine: Coroutine[Any, Any, T], *, context: Context | None = None, name: str | None = None
) -> asyncio.Task[T]:
    """Start a task whose first step runs in a later iteration of the loop, also with an eager task factory.

    Tasks are often started by the reader, which must run no code of the user's, or by code that has yet to keep the
    task.
    """
    loop = asyncio.get_running_loop()
    if loop.get_task_factory() is None:
        return loop.create_task(coroutine, context=context, name=name)
    return asyncio.Task(coroutine, loop=loop, context=context, name=name)


def is_cancelled() -> bool:
    """Return whether the current task was cancelled; a `CancelledError` without that is another task's or future's."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def cancel_once(task: asyncio.Task[Any]) -> None:
    """Cancel a task, but not twice, which would interrupt its cleanup, nor on a closed loop."""
    if not task.done() and not task.cancelling() and not task.get_loop().is_closed():
        task.cancel()


def result_of(task: asyncio.Task[T]) -> T:
    """Return the result of a task that has ended, or raise its exception.

    Raises:
        Interrupted: It was cancelled, and not by the caller.
    """
    if task.cancelled():
        raise Interrupted
    return task.result()


def deadline_after(seconds: float | None) -> float:
    """Return the event loop's time in `seconds`; infinity for None, which means no limit."""
    return inf if seconds is None else asyncio.get_running_loop().time() + seconds


async def within(deadline: float, work: Awaitable[T]) -> T:
    """Return the result of `work`, or cancel it at the deadline, on the event loop's clock.

    Raises:
        DeadlinePassed: The deadline passed.
    """
    now = asyncio.get_running_loop().time()
    # A page's loop refuses to set a timer in the past, and some time passes until it is set.
    limit = asyncio.timeout_at(None if deadline == inf else deadline if deadline > now + _SOON else now)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
    # Outside of the handler: the frames of the work, which a context would hold, may hold secrets.
    raise DeadlinePassed


class UserTasks:
    """User functions that the client awaits: the signer, the setup, the headers function.

    Each runs in a task of its own, in a fresh copy of the context in which the client was made. So one that does not
    end at once when it is cancelled delays neither the deadline of an attempt nor `close()`.

    Attributes:
        context: The context in which the client was made.
    """

    __slots__ = ("_running", "context")

    def __init__(self) -> None:
        self.context: Context = copy_context()
        self._running: dict[asyncio.Task[Any], None] = {}

    def start(self, name: str, function: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
        """Start `function()`; its task raises `Interrupted` if something that it awaited was cancelled.

        An earlier task of this name that still runs, though it was cancelled, is waited for first, so that they do not
        pile up.

        Args:
            name: The task's name, for the log.
            function: Async.
        """
        earlier = [task for task in self._running if task.get_name() == name]
        task = start_task(_call(function, earlier), context=self.context.copy(), name=name)
        self._running[task] = None
        task.add_done_callback(self._ended)
        return task

    async def run(self, name: str, function: Callable[[], Awaitable[Any]]) -> Any:
        """Return the result of `function()`. Cancelled, it cancels the function and does not wait for its end."""
        task = self.start(name, function)
        try:
            await asyncio.wait([task])
        finally:
            cancel_once(task)
        return result_of(task)

    def cancel(self) -> list[asyncio.Task[Any]]:
        """Cancel and return those that run."""
        for task in self._running:
            cancel_once(task)
        return list(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            # The caller gets it, if it still waits; looked at here so that asyncio does not log it as never retrieved.
            _logger.debug("a function of the program's raised %s", type(error).__name__)


async def _call(function: Callable[[], Awaitable[Any]], earlier: list[asyncio.Task[Any]]) -> Any:
    if earlier:
        await asyncio.wait(earlier)
    try:
        return await function()
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        raise Interrupted from None
