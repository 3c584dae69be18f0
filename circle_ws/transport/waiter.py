"""What a call waits on. In the browser its task goes on within the event that brings the reply, without a loop hop.

A task that awaits an asyncio future goes on through `call_soon`, and there that is a message to oneself of 40 to 100
microseconds: most of what a call takes. A `Waiter` keeps the wake-up that the task gives to `add_done_callback` (the
protocol of `asyncio.Task`: a future with `_asyncio_future_blocking`, PEP 3156) and runs it itself, where that is legal:

- The stack holds nothing but a message event of the browser's WebSocket, as `deliver` marks it. Timers, the end of a
  link or a memory transport never resume anybody directly, so the engine's own loops are not entered twice.
- No task is being stepped: asyncio lets one thread step one task at a time.
- The task's context is not entered already, as that of a task is that waits in `run_sync`: Python refuses that.
- The waiter was neither cancelled nor failed. A cancelled one is done, so a late reply cannot swallow the cancelling.
- Nobody is still to be told of a new status (`hold_back`): an answer never comes before the news of its link.

One task goes on for each event, so a run of messages cannot keep the page from painting. In every other case
the loop is asked, as asyncio does. What goes on so has not been entered through the loop, so `pyodide.ffi.run_sync`
is refused there until the next hop, such as `await asyncio.sleep(0)`.
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
    """Know whether a message event is being handled that has resumed nobody yet."""

    __slots__ = ("free", "held", "hooks")

    def __init__(self) -> None:
        self.free = False
        self.held = 0
        """How many turns of the loop are to come first."""
        self.hooks: Any = None
        """What the loop has asynchronous generators tell it by, once a task has waited."""

    def hold(self) -> None:
        """Resume nobody until the loop has run what it was asked for until now."""
        self.held += 1
        get_running_loop().call_soon(self._let_go)

    def _let_go(self) -> None:
        self.held -= 1


_event = _Event()
_set_result = asyncio.Future.set_result
"""Looked up once, as is all that every call needs: `super()` takes as long as what it finds."""


class Waiter(asyncio.Future[Any]):
    """Be a future with one waiting task that may go on directly. To anybody else it is an asyncio future."""

    _wake_up: Callable[[Waiter], object] | None = None
    _context: Context | None = None

    def add_done_callback(self, callback: Callable[[Waiter], object], /, *, context: Context | None = None) -> None:
        """Keep the wake-up of the first task, which comes with a context; leave all else to asyncio."""
        if context is None or self._wake_up is not None or self.done():
            super().add_done_callback(callback, context=context)
        else:
            self._wake_up = callback
            self._context = context
            if _event.hooks is None:
                _event.hooks = _known_hooks()

    def set_result(self, result: Any, /) -> None:
        """Be done, and let the task go on: now, where that is legal."""
        _set_result(self, result)
        wake_up = self._wake_up
        if wake_up is not None:
            self._wake_up = None
            if not (_event.free and self._resume(wake_up)):
                self._hop(wake_up)

    def set_exception(self, exception: type | BaseException, /) -> None:
        """Be done, and let the task learn of it in a later turn of the loop."""
        super().set_exception(exception)
        wake_up, self._wake_up = self._wake_up, None
        if wake_up is not None:
            self._hop(wake_up)

    def cancel(self, msg: Any | None = None) -> bool:
        """Be cancelled, and let the task learn of it in a later turn of the loop."""
        cancelled = super().cancel(msg)
        wake_up, self._wake_up = self._wake_up, None
        if wake_up is not None:
            self._hop(wake_up)
        return cancelled

    def _hop(self, wake_up: Callable[[Waiter], object]) -> None:
        self.get_loop().call_soon(wake_up, self, context=self._context)

    def _resume(self, wake_up: Callable[[Waiter], object]) -> bool:
        """Let the task go on now; False where that is not legal, and it was not touched."""
        context = self._context
        assert context is not None
        try:
            if current_task() is not None:
                return False
            _event.free = False
            if _event.hooks is not None and sys.get_asyncgen_hooks().firstiter is None:
                # What the loop does before each step: where JavaScript calls Python anew, there are none yet.
                sys.set_asyncgen_hooks(*_event.hooks)
            context.run(wake_up, self)
        except RuntimeError:
            # There is no running loop, or the context is entered already. A task keeps what its coroutine raises.
            return False
        except (SystemExit, KeyboardInterrupt) as error:
            # These a task lets through, and the loop has handlers for them.
            self.get_loop().call_soon(_let_through, error)
        return True


def deliver(take: Callable[[str], object], text: str) -> None:
    """Call `take(text)` from a message event that nothing else is on the stack of; one waiter may go on within it."""
    _event.free = not _event.held
    try:
        take(text)
    finally:
        _event.free = False


def _known_hooks() -> Any:
    hooks = sys.get_asyncgen_hooks()
    return None if hooks.firstiter is None else hooks


def _let_through(error: BaseException) -> None:
    raise error


if sys.platform == "emscripten":

    def new_waiter(loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Future[Any]:
        """Make what a call waits on; `loop` is the running one."""
        return Waiter(loop=loop or get_running_loop())

    def hold_back() -> None:
        """Let whoever has been woken until now go on before any call that is answered from here on."""
        _event.hold()

else:

    def new_waiter(loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Future[Any]:
        """Make what a call waits on: natively the loop's own future, as a hop takes a microsecond there."""
        return (loop or get_running_loop()).create_future()

    def hold_back() -> None:
        """Do nothing: natively whoever is woken goes on in the order of waking."""
