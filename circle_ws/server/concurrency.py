"""How many async methods of one client run at the same time."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Room", "step_outside"]

_room: ContextVar[Room | None] = ContextVar("_room", default=None)
"""Where the present task runs as a method."""


class Room:
    """Count the methods that run; who reads the client's messages waits while they are too many.

    Args:
        size: How many may run at the same time.
    """

    __slots__ = ("_closed", "_inside", "_size", "_spare")

    def __init__(self, size: int) -> None:
        self._size = size
        self._inside = 0
        self._closed = False
        self._spare = asyncio.Event()
        self._spare.set()

    def enter(self) -> None:
        """Count one more."""
        self._inside += 1
        self._change()

    def leave(self) -> None:
        """Count one less."""
        self._inside -= 1
        self._change()

    def be_here(self) -> None:
        """Let `step_outside` know that the present task is in this room."""
        _room.set(self)

    async def wait_for_space(self) -> None:
        """Return when no more run than may, or when the room is closed."""
        while not self._spare.is_set():
            await self._spare.wait()

    def close(self) -> None:
        """Let nobody wait any more."""
        self._closed = True
        self._change()

    def _change(self) -> None:
        if self._closed or self._inside <= self._size:
            self._spare.set()
        else:
            self._spare.clear()


@contextmanager
def step_outside() -> Iterator[None]:
    """Do not count the method that runs here for as long as it waits for a client's reply.

    In a full room nothing is read, replies neither: methods that wait for them would keep it full.
    """
    room = _room.get()
    if room is None:
        yield
        return
    room.leave()
    try:
        yield
    finally:
        # At once, and not when there is space: others may wait for this one. Who comes in anew waits instead.
        room.enter()
