"""The interface between a client's session and its socket, of whatever that is made."""

from __future__ import annotations

from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ..errors import ConnectionLost

__all__ = ["Socket", "run_on_its_loop"]


class Socket(Protocol):
    """The circle's end of one client's connection.

    Attributes:
        loop: The event loop on which it lives.
        thread: The thread of that loop.
        when_lost: Called once, when the connection is gone.
    """

    loop: asyncio.AbstractEventLoop
    thread: int
    when_lost: Callable[[], object] | None

    async def next_message(self) -> str | bytes | None:
        """Return the client's next message; None when the connection is closed, in whatever way."""
        ...

    def push(self, text: bytes) -> bool:
        """Send a text message (UTF-8) without waiting; returns whether that was possible."""
        ...

    async def wait_until_read(self) -> None:
        """Return when the client has read what came before, or is gone."""
        ...

    def drop(self, why: str, code: int) -> None:
        """Close the connection; `why` has at most 123 bytes."""
        ...

    def loss(self) -> ConnectionLost:
        """Return how the connection ended."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close the connection with a closing handshake."""
        ...

    def abort(self) -> None:
        """Cut the connection off, without a closing handshake."""
        ...


def run_on_its_loop(socket: Socket, function: Callable[..., object], *arguments: object) -> None:
    """Call a function: at once on the thread of a socket's loop, soon from another, never when the loop has ended."""
    if get_ident() == socket.thread:
        function(*arguments)
        return
    with suppress(RuntimeError):
        socket.loop.call_soon_threadsafe(function, *arguments)
