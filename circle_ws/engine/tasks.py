"""Tasks: how one is started, whose cancellation it was, and functions of the user's in tasks of their own."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextvars import Context

__all__ = ["Interrupted", "UserTasks", "cancel_once", "is_cancelled", "result_of", "start_task"]

_logger = logging.getLogger("circle_ws")

T = TypeVar("T")


class Interrupted(Exception):
    """A function of the user's ended with a cancellation that was not its own task's."""

    def __init__(self) -> None:
        super().__init__("something that it awaited was cancelled")


def start_task(
    coroutine: Coroutine[Any, Any, T], *, context: Context | None = None, name: str | None = None
) -> asyncio.Task[T]:
    """Start a task whose first step comes in a turn of its own, also on a loop with an eager task factory.

    What starts a task here is often the reader, which must run no code of the user's, or code that has yet to take note
    of the task.
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
    """Cancel a task unless it was told already, which must not interrupt what it does about that, or its loop ended."""
    if not task.done() and not task.cancelling() and not task.get_loop().is_closed():
        task.cancel()


def result_of(task: asyncio.Task[T]) -> T:
    """Return the result of a task that has ended, or raise what it raised.

    Raises:
        Interrupted: It was cancelled, by another one than whoever waited for it.
    """
    if task.cancelled():
        raise Interrupted
    return task.result()


class UserTasks:
    """Functions of the user's that the client awaits: the signer, the setup, the headers function.

    Each runs in a task of its own, in a fresh copy of the context in which the client was made. One that takes its time
    when it is cancelled so holds up neither the deadline of an attempt nor `close()`.
    """

    __slots__ = ("_running", "context")

    def __init__(self) -> None:
        self.context = copy_context()
        """The context in which the client was made."""
        self._running: dict[asyncio.Task[Any], None] = {}

    def start(self, name: str, function: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
        """Start `function()`; its task raises `Interrupted` where something that it awaited was cancelled.

        One of this name that still runs, though it was cancelled, is waited for first: they do not pile up.

        Args:
            name: What it is: the task's name.
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
        """Cancel those that run; gives them."""
        for task in self._running:
            cancel_once(task)
        return list(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Told by whoever waited for it, where anybody still did.
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
