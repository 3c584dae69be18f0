"""Waiting in a page: the stack of the caller is suspended until a promise is settled (JSPI), and the page goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from pyodide.ffi import can_run_sync, run_sync

from ..errors import UnsupportedRuntime
from ..hooks import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..client import CircleWsClient, Timeout
    from ..engine.pipeline import Pipeline
    from ..jsonrpc.messages import Params

__all__ = ["Runner", "check_supported", "current"]

T = TypeVar("T")


def check_supported() -> None:
    """Check that the caller can be suspended.

    Raises:
        UnsupportedRuntime: It cannot.
    """
    if not can_run_sync():
        raise UnsupportedRuntime(
            "a blocking client cannot wait here: the browser has no WebAssembly stack switching (JSPI), or Python was "
            "not entered by runPythonAsync() or callPromising(); use circle_ws.connect() and await"
        )


class Runner:
    """Runs the work of blocking clients on the page's event loop."""

    __slots__ = ()

    is_usable = True
    """Whether clients can be used: in a page always."""

    def bind(self, client: CircleWsClient) -> None:
        """Keep nothing: the page's loop has no end that Python sees."""

    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Return the result of the coroutine function.

        Raises:
            UnsupportedRuntime: The caller cannot be suspended.
        """
        check_supported()
        failure: BaseException | None = None

        async def caught() -> T | None:
            # A page's loop reports a task that fails to its exception handler, even if it is waited for.
            nonlocal failure
            try:
                return await function(*args)
            except BaseException as error:
                failure = error
                return None

        result: Any = run_sync(caught())
        if failure is None:
            return result  # type: ignore[no-any-return]
        try:
            raise failure
        finally:
            # The error refers to this frame by its traceback.
            failure = None

    def do(self, function: Callable[..., T], *args: Any) -> T:
        """Return the result of a function that does not wait."""
        return function(*args)

    def call(self, pipeline: Pipeline, method: str, params: Params, timeout: Timeout, *, idempotent: bool) -> Any:
        """Make one call and return its result, as plain JSON values."""
        return self.run(pipeline.send_request, Request(method, params, idempotent), timeout, None)

    def soon(self, function: Callable[[], object]) -> None:
        """Run a function that does not wait, and return without its result."""
        function()

    def time(self) -> float:
        """Return the time of the event loop, in seconds."""
        return asyncio.get_running_loop().time()

    async def apart(self, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Call a user's plain function. There are no threads here; one that waits suspends its own stack alone."""
        return function(*args, **options)


_RUNNER = Runner()


def current() -> Runner:
    """Return the runner of this page."""
    return _RUNNER
