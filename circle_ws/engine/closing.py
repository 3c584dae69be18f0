"""What has to end when a connection, or the client, does: closing handshakes, and functions of the user's."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from .tasks import cancel_once, start_task

if TYPE_CHECKING:
    from ..transport import Transport
    from .handlers import Handlers
    from .tasks import UserTasks

__all__ = ["ClosingHandshakes", "cut", "ended"]

_MOST = 8
"""So many transports are closed at the same time; of one more the oldest is cut."""
_logger = logging.getLogger("circle_ws")


class ClosingHandshakes:
    """What still runs for a client when it ends: closing handshakes, handlers, functions that it awaits.

    Args:
        handlers: Answer the circle's requests.
        user_tasks: Functions of the user's that the client awaits.
    """

    __slots__ = ("_closing", "_handlers", "_user_tasks")

    def __init__(self, handlers: Handlers, user_tasks: UserTasks) -> None:
        self._handlers = handlers
        self._user_tasks = user_tasks
        self._closing: dict[asyncio.Task[Any], None] = {}

    def say(self, transport: Transport, code: int, reason: str) -> None:
        """Close a transport with the handshake, without waiting for it."""
        if len(self._closing) >= _MOST:
            # With no `close_timeout` a peer that answers no close would have one more of them kept at each reconnect.
            cancel_once(next(iter(self._closing)))
        task = start_task(_close(transport, code, reason), name="the closing handshake")
        self._closing[task] = None
        task.add_done_callback(partial(self._ended, transport))

    def _ended(self, transport: Transport, task: asyncio.Task[Any]) -> None:
        del self._closing[task]
        if task.cancelled():
            # Also one that never came to its first step.
            cut(transport)

    async def end(self, timeout: float | None) -> None:
        """Cancel what is the user's, and return when all of it has ended, the handshakes too, or the time is over."""
        await ended([*self._closing, *self._handlers.cancel(), *self._user_tasks.cancel()], timeout)

    def cancel(self) -> None:
        """Cut all of it off."""
        self._handlers.cancel()
        self._user_tasks.cancel()
        for task in self._closing:
            cancel_once(task)

    def __len__(self) -> int:
        return len(self._closing)


def cut(transport: Transport) -> None:
    """Abort a transport; one that cannot even do that is let go of."""
    try:
        transport.abort()
    except Exception as error:
        _logger.warning("the transport could not be aborted: %s: %s", type(error).__name__, error)


async def ended(tasks: list[asyncio.Task[Any]], timeout: float | None) -> None:
    """Return when these tasks have ended, or the time is over: then the log names those that take longer.

    Args:
        tasks: They were told to end.
        timeout: In seconds; None means no limit.
    """
    if tasks:
        _, running = await asyncio.wait(tasks, timeout=timeout)
        for task in running:
            _logger.warning("%s has not ended within close_timeout (%g s) and is let go of", task.get_name(), timeout)


async def _close(transport: Transport, code: int, reason: str) -> None:
    """Close a transport; one that cannot is cut."""
    try:
        await transport.close(code, reason)
    except Exception as error:
        _logger.warning("the transport could not be closed, and is cut: %s: %s", type(error).__name__, error)
        cut(transport)
