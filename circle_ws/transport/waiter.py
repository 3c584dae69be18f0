"""The future that a call waits on. In a browser its task is resumed within the event that brings the reply.

A task that awaits an asyncio future is resumed through `call_soon`, which in a browser takes 40 to 100 microseconds:
most of the time of a call. A `Waiter` keeps the wake-up that the task passes to `add_done_callback` (the protocol of
`asyncio.Task`: a future with `_asyncio_future_blocking`, PEP 3156) and runs it itself, where that is legal:

- The stack holds nothing but a message event of the browser's WebSocket, as `deliver` marks it. Timers, the end of a
  connection and a memory transport never resume a task directly, so the engine's own loops are not entered twice.
- No task is being stepped: asyncio lets a thread step one task at a time.
- The task's context is not entered already, as is that of a task that waits in `run_sync`: Python refuses that.
- The waiter was neither cancelled nor failed. A cancelled one is done, so a late reply cannot undo the cancellation.
- No new status is still to be delivered (`hold_back`): a reply never comes before the status of its connection.

One task is resumed for each event, so a run of messages cannot keep the page from painting. In all other cases the task
is resumed through the loop, as by asyncio. A task that was resumed directly was not entered through the loop, so there
`pyodide.ffi.run_sync` is refused until the next hop, such as `await asyncio.sleep(0)`.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import current_task, get_running_loop
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

__all__ = ["Waiter", "deliver", "hold_back", "new_waiter"]


class _Event:
    """Whether a message event is being handled that has resumed no task yet."""

    __slots__ = ("free", "held", "hooks")

    def __init__(self) -> None:
        self.free = False
        self.held = 0
        """Number of turns of the loop that must end before any task is resumed directly."""
        self.hooks: Any = None
        """The loop's hooks for asynchronous generators, once a task has waited."""

    def hold(self) -> None:
        """Resume no task directly until the loop has run what was scheduled so far."""
        self.held += 1
        get_running_loop().call_soon(self._release)

    def _release(self) -> None:
        self.held -= 1


_event = _Event()
_set_result = asyncio.Future.set_result
"""Looked up once: `super()` takes as long as the method that it finds."""


class Waiter(asyncio.Future[Any]):
    """A future whose first waiting task may be resumed directly. For all else it is an asyncio future."""

    _wake_up: Callable[[Waiter], object] | None = None
    _context: Context | None = None

    def add_done_callback(self, callback: Callable[[Waiter], object], /, *, context: Context | None = None) -> None:
        """Keep the wake-up of the first task, which comes with a context; leave other callbacks to asyncio."""
        if context is None or self._wake_up is not None or self.done():
            super().add_done_callback(callback, context=context)
        else:
            self._wake_up = callback
            self._context = context
            # A task waits in a step of its loop, which has set them; another loop may have run before.
            _event.hooks = sys.get_asyncgen_hooks()

    def set_result(self, result: Any, /) -> None:
        """Set the result, and resume the task: now, where that is legal."""
        _set_result(self, result)
        wake_up = self._wake_up
        if wake_up is not None:
            self._wake_up = None
            if not (_event.free and self._resume(wake_up)):
                self._hop(wake_up)

    def set_exception(self, exception: type | BaseException, /) -> None:
        """Set the exception, and resume the task in a later turn of the loop."""
        super().set_exception(exception)
        wake_up, self._wake_up = self._wake_up, None
        if wake_up is not None:
            self._hop(wake_up)

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel, and resume the task in a later turn of the loop."""
        cancelled = super().cancel(msg)
        wake_up, self._wake_up = self._wake_up, None
        if wake_up is not None:
            self._hop(wake_up)
        return cancelled

    def _hop(self, wake_up: Callable[[Waiter], object]) -> None:
        self.get_loop().call_soon(wake_up, self, context=self._context)

    def _resume(self, wake_up: Callable[[Waiter], object]) -> bool:
        """Resume the task now; return False where that is not legal, and it was not touched."""
        context = self._context
        assert context is not None
        try:
            if current_task() is not None:
                return False
            _event.free = False
            if _event.hooks is not None and sys.get_asyncgen_hooks().firstiter is None:
                # The loop sets them before each step; where JavaScript has called Python, there are none.
                sys.set_asyncgen_hooks(*_event.hooks)
            context.run(wake_up, self)
        except RuntimeError:
            # There is no running loop, or the context is entered already. What the coroutine raises, the task keeps.
            return False
        except (SystemExit, KeyboardInterrupt) as error:
            # These pass through a task to the loop, which has handlers for them.
            self.get_loop().call_soon(_raise, error)
        return True


def deliver(take: Callable[[str], object], text: str) -> None:
    """Call `take(text)` from a message event with nothing else on the stack; it may resume one task directly."""
    _event.free = not _event.held
    try:
        take(text)
    finally:
        _event.free = False


def _raise(error: BaseException) -> None:
    raise error


if sys.platform == "emscripten":
    new_waiter: Callable[[], asyncio.Future[Any]] = Waiter
    """Returns a future of the running loop for a call to wait on."""

    def hold_back() -> None:
        """Resume the tasks that were woken so far before those of calls that are answered from now on."""
        _event.hold()

else:
    new_waiter: Callable[[], asyncio.Future[Any]] = asyncio.Future
    """Returns a future of the running loop for a call to wait on: natively asyncio's, as a hop takes a microsecond."""

    def hold_back() -> None:
        """Do nothing: natively tasks are resumed in the order in which they were woken."""
