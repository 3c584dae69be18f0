"""The ends of connections, starts and clients that take time: draining, closing handshakes, cancelled tasks."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from .tasks import cancel_once, deadline_after, start_task
from .wakeup import Wakeup

if TYPE_CHECKING:
    from ..transport import Transport

__all__ = ["Closing", "Drain", "cut"]

_MAX_HANDSHAKES = 8
"""Maximum number of concurrent closing handshakes; beyond it the oldest is cut."""
_logger = logging.getLogger("circle_ws.connection")


class Closing:
    """Tasks of one client that take time to end.

    Args:
        timeout: `close_timeout`, in seconds; None means no limit.

    Attributes:
        abandoned: Runs of the client that were cancelled and have not ended yet.
    """

    __slots__ = ("_handshakes", "_timeout", "abandoned")

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._handshakes: dict[asyncio.Task[Any], None] = {}
        self.abandoned: dict[asyncio.Task[Any], None] = {}

    def close(self, transport: Transport, code: int, reason: str) -> None:
        """Close a transport with the handshake, in the background."""
        if len(self._handshakes) >= _MAX_HANDSHAKES:
            # Without `close_timeout`, a peer that never answers a close would add one handshake at each reconnect.
            cancel_once(next(iter(self._handshakes)))
        task = start_task(_close(transport, code, reason), name="the closing handshake")
        self._handshakes[task] = None
        task.add_done_callback(partial(self._ended, transport))

    def _ended(self, transport: Transport, task: asyncio.Task[Any]) -> None:
        del self._handshakes[task]
        if task.cancelled():
            # A task that is cancelled before its first step never enters `_close`.
            cut(transport)

    def abandon(self, run: asyncio.Task[Any]) -> None:
        """Cancel the run of a client, and keep a reference until it ends."""
        self.abandoned[run] = None
        run.add_done_callback(self.abandoned.pop)
        run.cancel()

    async def runs_ended(self, run: asyncio.Task[Any] | None = None) -> None:
        """Return when the abandoned runs, and `run`, have ended, or after `close_timeout`."""
        # A run whose loop was closed never ends.
        loop = asyncio.get_running_loop()
        await self._all_ended([one for one in (*self.abandoned, run) if one is not None and one.get_loop() is loop])

    async def finish(self, *functions: asyncio.Task[Any]) -> None:
        """Return when the handshakes, and these functions of the user's, have ended, or after `close_timeout`."""
        await self._all_ended([*self._handshakes, *functions])

    async def _all_ended(self, tasks: list[asyncio.Task[Any]]) -> None:
        if tasks:
            _, running = await asyncio.wait(tasks, timeout=self._timeout)
            for task in running:
                words = "%s has not ended within close_timeout (%g s) and is abandoned"
                _logger.warning(words, task.get_name(), self._timeout)

    def cancel(self) -> None:
        """Cut the connections that are in a closing handshake."""
        for task in self._handshakes:
            cancel_once(task)

    def __len__(self) -> int:
        return len(self._handshakes)


class Drain:
    """The wait for calls in flight when a client closes, which every caller of `close()` may shorten."""

    __slots__ = ("_deadline", "_wakeup")

    def __init__(self) -> None:
        self._deadline = math.inf
        self._wakeup = Wakeup()

    def end_within(self, seconds: float | None) -> None:
        """Limit the wait to this many seconds from now; None adds no limit."""
        self._deadline = min(self._deadline, deadline_after(seconds))
        self._wakeup.wake()

    async def wait(self, drained: asyncio.Future[None]) -> None:
        """Return when `drained` is done, or the limit has passed."""
        while not drained.done() and asyncio.get_running_loop().time() < self._deadline:
            await self._wakeup.wait_for(drained, self._deadline)


def cut(transport: Transport) -> None:
    """Abort a transport; log it if that fails."""
    try:
        transport.abort()
    except Exception as error:
        _logger.warning("the transport could not be aborted: %s: %s", type(error).__name__, error)


async def _close(transport: Transport, code: int, reason: str) -> None:
    """Close a transport; cut it if that fails."""
    try:
        await transport.close(code, reason)
    except Exception as error:
        _logger.warning("the transport could not be closed, and is cut: %s: %s", type(error).__name__, error)
        cut(transport)
