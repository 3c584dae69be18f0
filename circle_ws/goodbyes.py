"""What still has to end when a connection, or the client, is done: closing handshakes, and functions of the user's."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from .tasks import cancel_once, start_task

if TYPE_CHECKING:
    from .transport import Transport

__all__ = ["Goodbyes", "cut", "ended"]

_logger = logging.getLogger("circle_ws")


class Goodbyes:
    """Transports that are being closed, each in a task of its own."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def say(self, transport: Transport, code: int, reason: str) -> None:
        """Close a transport with the handshake, without waiting for it."""
        task = start_task(_close(transport, code, reason), name="the closing handshake")
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """Those that run."""
        return list(self._tasks)

    def cancel(self) -> None:
        """Cut those that run."""
        for task in self._tasks:
            cancel_once(task)

    def __len__(self) -> int:
        return len(self._tasks)


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
