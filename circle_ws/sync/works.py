"""What a thread hands over to the event loop, and waits for: a step, a coroutine, or a call."""

from __future__ import annotations

import asyncio
from _thread import allocate_lock
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from ..engine.tasks import start_task

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Coroutine

    from ..client import Timeout
    from ..engine.pending_call import PendingCall
    from ..engine.pipeline import Pipeline
    from ..jsonrpc.messages import Params

__all__ = ["Call", "CoroutineWork", "Step", "Work"]


class Work:
    """One piece of work for the loop, and the lock on which the thread waits until `end` or `fail` is called."""

    __slots__ = ("error", "lock", "result")

    def __init__(self) -> None:
        self.lock: LockType = allocate_lock()
        self.lock.acquire()
        self.result: Any = None
        self.error: BaseException | None = None

    def begin(self) -> None:
        """Start, on the loop. It does not raise."""

    def cancel(self) -> None:
        """Stop, on the loop: the thread waits no longer."""

    def end(self, result: Any) -> None:
        """Hand the result to the thread."""
        self.result = result
        self.lock.release()

    def fail(self, error: BaseException) -> None:
        """Hand an exception to the thread."""
        self.error = error
        self.lock.release()


class Step(Work):
    """A function that does not wait, in a copy of the thread's context."""

    __slots__ = ("_context", "_function")

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__()
        self._context = copy_context()
        self._function = function

    def begin(self) -> None:
        try:
            result = self._context.run(self._function)
        except BaseException as error:
            self.fail(error)
        else:
            self.end(result)


class CoroutineWork(Work):
    """A coroutine, in a task of its own and in a copy of the thread's context."""

    __slots__ = ("_context", "_function", "_task")

    def __init__(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        super().__init__()
        self._context = copy_context()
        self._function = function
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        try:
            self._task = start_task(self._function(), context=self._context, name="the work of a blocking client")
        except BaseException as error:
            self.fail(error)
        else:
            self._task.add_done_callback(self._ended)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self.fail(asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            self.fail(error)
        else:
            self.end(task.result())


class Call(Work):
    """One call, which needs no task: the future of the pending call is this object.

    So a reply wakes the thread within the step of the loop that reads it, as `transport.waiter` does in a page.
    """

    __slots__ = ("_arguments", "_call", "_done", "_idempotent", "_pipeline")

    def __init__(self, pipeline: Pipeline, arguments: tuple[str, Params, Timeout], idempotent: bool) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._arguments = arguments
        self._idempotent = idempotent
        self._done = False
        self._call: PendingCall | None = None

    def begin(self) -> None:
        try:
            self._call = call = self._pipeline.begin(*self._arguments, idempotent=self._idempotent)
        except BaseException as error:
            self.fail(error)
            return
        future, call.future = call.future, cast("asyncio.Future[Any]", self)
        if future.done():
            # A transport may bring the reply, or the loss of the connection, while it writes.
            failure = future.exception()
            self.set_result(future.result()) if failure is None else self.set_exception(failure)

    def cancel(self) -> None:
        if self._call is not None and not self._done:
            self._done = True
            self._pipeline.end(self._call, asyncio.CancelledError())

    # What the engine uses of a future.

    def done(self) -> bool:
        return self._done

    def set_result(self, result: Any) -> None:
        self._done = True
        self.end(result)

    def set_exception(self, error: BaseException) -> None:
        self._done = True
        assert self._call is not None
        self._pipeline.end(self._call, error)
        self.fail(error)
