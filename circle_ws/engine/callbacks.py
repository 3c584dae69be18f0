"""User callbacks, always invoked from a fresh iteration of the event loop."""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import InvalidRequest
from .tasks import is_cancelled, start_task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Callbacks"]

_logger = logging.getLogger("circle_ws")

MOST_RUNNING = 256
"""Maximum number of calls of async callbacks that run at the same time: a peer may cause them faster than they end."""

T = TypeVar("T")


class Callbacks(Generic[T]):
    """Functions that are called back, each in a turn of the event loop of its own; one that raises is logged.

    Each call runs in a fresh copy of the context in which the function was added, an async function in a task of its
    own, which is held until it ends.

    Args:
        what: What they are called back for, for the log.
    """

    __slots__ = ("_functions", "_tasks", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._functions: dict[object, tuple[Callable[[T], object], Context]] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}

    def __len__(self) -> int:
        return len(self._functions)

    def add(self, function: Callable[[T], object]) -> Callable[[], None]:
        """Call `function`, sync or async, from now on; gives a function that ends it.

        Raises:
            InvalidRequest: It is no function.
        """
        if not callable(function):
            raise InvalidRequest(f"a {self._what} callback must be a function, sync or async, not {function!r}")
        token = object()
        self._functions[token] = function, copy_context()

        def remove() -> None:
            self._functions.pop(token, None)

        return remove

    def tell(self, value: T) -> None:
        """Have every function called with `value`."""
        for token, (_, context) in list(self._functions.items()):
            # Never on the stack of the caller: a callback may do anything to the client.
            asyncio.get_running_loop().call_soon(self._call, token, value, context=context.copy())

    def _call(self, token: object, value: T) -> None:
        function, _ = self._functions.get(token, (None, None))
        if function is None:
            return
        try:
            outcome = function(value)
        except (Exception, asyncio.CancelledError):
            self._log()
            return
        if not inspect.isawaitable(outcome):
            return
        if len(self._tasks) < MOST_RUNNING:
            # In the context of this call, which is a copy already.
            task = start_task(self._await(outcome))
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)
        elif inspect.iscoroutine(outcome):
            outcome.close()
            _logger.warning("%d calls of %s callbacks run already; one is left out", MOST_RUNNING, self._what)

    async def _await(self, outcome: Awaitable[Any]) -> None:
        try:
            await outcome
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            self._log()
        except Exception:
            self._log()

    def _log(self) -> None:
        _logger.exception("a %s callback raised; the client goes on", self._what)
