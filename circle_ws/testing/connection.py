"""Both ends of a connection to a `Circle`: what the client sends through, and the socket that the circle serves."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, wait
from threading import get_ident
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionLost
from ..server.base import run_on_its_loop
from ..server.connection import POLL_INTERVAL
from ..transport import connect as runtime_connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable

    from ..transport import Capabilities, Receiver, Transport, TransportOptions
    from ..transport.memory import MemoryPeer, MemoryTransport
    from .gate import Bell

__all__ = ["ClientEnd", "Done", "MemoryConnect", "MemorySocket", "Pulse"]


class Pulse:
    """Whether a circle runs, or hangs: then it reads nothing, answers nothing and takes no new connection.

    Args:
        bell: Rung at each change.
    """

    __slots__ = ("_bell", "hanging")

    def __init__(self, bell: Bell) -> None:
        self.hanging: bool = False
        self._bell = bell

    def change(self, *, hanging: bool) -> None:
        """Let it hang, or run again."""
        self.hanging = hanging
        self._bell.ring()

    async def beats(self, peer: MemoryPeer | None = None) -> None:
        """Return when the circle runs, or when the connection of `peer` has ended."""
        await self._bell.until(lambda: not self.hanging or (peer is not None and peer.loss is not None))

    def lost(self) -> None:
        """Handle the end of a connection."""
        self._bell.ring()


class MemoryConnect:
    """The `Connect` of a circle in memory; its capabilities are those of this runtime's own WebSockets.

    Args:
        dial: Opens a connection.
    """

    def __init__(self, dial: Callable[[str, Receiver, TransportOptions], Awaitable[Transport]]) -> None:
        self.capabilities: Capabilities = runtime_connect.capabilities
        self._dial = dial

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        """Connect; the errors are those of any `Connect`."""
        return await self._dial(url, receiver, options)


class ClientEnd:
    """The client's end of a connection to a circle that may misbehave.

    Args:
        inner: The connection.
        pulse: The circle's; None: it always runs.
    """

    def __init__(self, inner: MemoryTransport, pulse: Pulse | None = None) -> None:
        self.inner = inner
        self._pulse = pulse

    @property
    def buffered(self) -> int:
        """Bytes that the circle has not read yet."""
        return self.inner.buffered

    @property
    def bytes_received(self) -> int:
        """Bytes received so far."""
        return self.inner.bytes_received

    def send(self, text: str) -> None:
        """Hand over one text message."""
        self.inner.send(text)

    async def drain(self) -> None:
        """Return when the circle has read everything."""
        await self.inner.drain()

    async def ping(self) -> None:
        """Return with the pong."""
        if self._pulse is not None:
            await self._pulse.beats()
        await self.inner.ping()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with `code`."""
        await self.inner.close(code, reason)

    def abort(self) -> None:
        """Close at once."""
        self.inner.abort()


class MemorySocket:
    """The socket of one client of a circle in memory.

    Args:
        peer: The circle's end of the connection.
        pulse: The circle's.
    """

    def __init__(self, peer: MemoryPeer, pulse: Pulse) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.thread: int = get_ident()
        self.when_lost: Callable[[], object] | None = None
        self._peer = peer
        self._pulse = pulse
        self._held: list[bytes] = []
        """What was sent while the circle hung."""
        peer.when_ended = self._ended

    async def next_message(self) -> str | bytes | None:
        """Return the client's next message; None when the connection is closed."""
        try:
            text = await self._peer.receive()
        except ConnectionLost:
            return None
        await self._pulse.beats(self._peer)
        # Hanging still: then the client is gone.
        return None if self._pulse.hanging else text

    async def wait_until_read(self) -> None:
        """Return at once: in memory everything is read."""

    def push(self, text: bytes) -> bool:
        """Send a text message without waiting; returns whether that was possible."""
        if self._peer.loss is not None:
            return False
        if self._pulse.hanging:
            self._held.append(text)
        else:
            self._peer.send(text.decode())
        return True

    def resume(self) -> None:
        """Send what was held back while the circle hung."""
        held, self._held = self._held, []
        for text in held:
            self.push(text)

    def drop(self, why: str, code: int) -> None:
        """Close the connection after what was sent."""
        self._peer.close(code, why)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection after what was sent."""
        self._peer.close(code, reason)

    def abort(self) -> None:
        """Cut the connection off, without a closing handshake."""
        self._peer.close(1006)

    def loss(self) -> ConnectionLost:
        """Return how the connection ended."""
        loss = self._peer.loss
        if loss is None or loss.code == 1006:
            return ConnectionLost("the client is gone, without a closing handshake (1006)")
        who = "it" if loss.local else "the circle"
        words = f"the client is gone: {who} closed the connection with code {loss.code}"
        return ConnectionLost(words, code=loss.code, reason=loss.reason, local=not loss.local)

    def _ended(self) -> None:
        self._pulse.lost()
        if self.when_lost is not None:
            self.when_lost()


class Done:
    """What an order to a circle returns. It is carried out at once; awaiting this waits until the clients know of it.

    Args:
        sockets: The connections that it is about.
        action: Called for each of them, on its own loop.
    """

    def __init__(self, sockets: Iterable[MemorySocket], action: Callable[[MemorySocket], object]) -> None:
        self._done = [_carry_out(socket, action) for socket in sockets]

    def __await__(self) -> Generator[Any, None, None]:
        for done in self._done:
            yield from asyncio.wrap_future(done).__await__()


def _carry_out(socket: MemorySocket, action: Callable[[MemorySocket], object]) -> Future[None]:
    done: Future[None] = Future()

    def act() -> None:
        action(socket)
        # Behind what the action itself has scheduled.
        socket.loop.call_soon(done.set_result, None)

    if socket.loop.is_closed():
        done.set_result(None)
        return done
    run_on_its_loop(socket, act)
    # A thread that is not the loop's, such as that of a blocking test, must be able to go on from here.
    while get_ident() != socket.thread and not (done.done() or socket.loop.is_closed()):
        wait([done], timeout=POLL_INTERVAL)
    return done
