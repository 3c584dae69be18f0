"""Functions that cross between JavaScript and Python."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import create_proxy

from ..auth.wallet import settled
from ..text import shown
from .values import error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pyodide.ffi import JsProxy

__all__ = ["Exported", "answer_of", "invoke", "promise_of", "start"]

_RUNNING: set[asyncio.Task[None]] = set()
"""Event loops hold their tasks only weakly."""
_AT_ONCE: Any = {"eager_start": True}
"""Of Python 3.12, which Pyodide has since 0.26."""


def start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run a coroutine, which must not raise, in a task of its own, and its first step at once."""
    # A task's first step would otherwise wait for a turn of the loop, which is most of a call's time in a page.
    task = asyncio.Task(work, loop=asyncio.get_running_loop(), **_AT_ONCE)
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    return task


class Exported:
    """A function of Python's as JavaScript has it. It can be called after its end too, and then holds no proxy.

    JavaScript gets a `Proxy` around a function that does nothing, as no JavaScript text may be evaluated here. Its trap
    is the Python function, and at the end a function of JavaScript's own.

    Args:
        name: The name that JavaScript shows.
        function: Takes the arguments that JavaScript gives.

    Attributes:
        js_function: What JavaScript gets.
    """

    __slots__ = ("_js_handler", "_js_trap", "js_function")

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        js_trap = create_proxy(lambda _js_target, _js_this, js_arguments: function(*js_arguments))
        self._js_trap: JsProxy | None = js_trap
        self._js_handler = js.Object.new()
        self._js_handler.apply = js_trap
        js_target = js.Object.bind(None)
        js_named = js.Object.new()
        js_named.value = name
        js.Object.defineProperty(js_target, "name", js_named)
        self.js_function: Any = js.Proxy.new(js_target, self._js_handler)

    def end(self, js_ended: Any) -> None:
        """Let a function of JavaScript's answer from now on. Idempotent."""
        js_trap, self._js_trap = self._js_trap, None
        if js_trap is not None:
            self._js_handler.apply = js_ended
            # Later: it may be on the stack.
            asyncio.get_running_loop().call_soon(js_trap.destroy)


def promise_of(
    work: Coroutine[Any, Any, Any],
    names: dict[str, str] | None = None,
    told: list[tuple[Any, BaseException]] | None = None,
) -> Any:
    """Return a promise of what a coroutine returns: a value for JavaScript; it is rejected with an `Error`.

    Args:
        work: The coroutine.
        names: What options are called in JavaScript.
        told: Gets the `Error` and the exception that it stands for.
    """

    async def settle(js_resolve: Any, js_reject: Any) -> None:
        try:
            js_resolve(await work)
        except (Exception, asyncio.CancelledError) as error:
            js_error = error_of(error, names)
            if told is not None:
                told.append((js_error, error))
            js_reject(js_error)

    js_begin = create_proxy(lambda js_resolve, js_reject: start(settle(js_resolve, js_reject)) and None)
    try:
        return js.Promise.new(js_begin)
    finally:
        js_begin.destroy()


async def answer_of(js_function: Any, js_argument: Any = None) -> Any:
    """Return what a function of JavaScript's, sync or async, gives; raise what it throws."""
    js_outcome = await settled(js_function, js_argument)
    if js_outcome.status == "fulfilled":
        return js_outcome.value
    reason = js_outcome.reason
    raise reason if isinstance(reason, BaseException) else RuntimeError(f"JavaScript threw {shown(str(reason))}")


def invoke(js_function: Any, *js_arguments: Any) -> None:
    """Call a callback of JavaScript's; the console tells what it throws, and the page what its promise rejects."""
    js_map = getattr(js.Array, "from")
    js_apply = js.Reflect.apply.bind(None, js_function, None)
    try:
        # What it returns stays in an array: Pyodide would make a future of a promise, and so keep its rejection.
        js_map(js.Array.of(js.Array.of(*js_arguments)), js_apply)
    except Exception as error:
        js.console.error(error if hasattr(error, "to_py") else str(error))
