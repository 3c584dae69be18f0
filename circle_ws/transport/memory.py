"""An in-process transport, for tests: ours and our users'.

```python
async def circle(peer: MemoryPeer) -> None:
    async for text in peer:
        peer.send(text)

client = CircleWsClientBuilder("ws://localhost/").with_transport(MemoryServer(circle)).build()
```
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConnectionFailed, ConnectionLost
from .base import BEGINNING, Capabilities, Receiver, TransportOptions, binary_message, message_too_large

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["MemoryPeer", "MemoryServer", "MemoryTransport"]

CAPABILITIES = Capabilities(ping=True, headers=False, proxy=False, tls=False, http_status=False)
T = TypeVar("T")
_logger = logging.getLogger("circle_ws.transport")


class MemoryTransport:
    """The client's end of an in-process connection."""

    __slots__ = ("_loss", "_options", "_receiver", "_silent", "bytes_received", "peer")

    def __init__(self, receiver: Receiver, options: TransportOptions, peer: MemoryPeer) -> None:
        self._receiver = receiver
        self._options = options
        self._silent = False
        self._loss: ConnectionLost | None = None
        self.bytes_received: int = 0
        self.peer: MemoryPeer = peer

    @property
    def buffered(self) -> int:
        """Bytes that the peer has not read yet."""
        return self.peer.unread_bytes

    def send(self, text: str) -> None:
        """Hand over one text message.

        Raises:
            ConnectionLost: The connection is known to be down.
        """
        if self._loss is not None:
            raise self._loss
        self.peer.feed(text)

    async def drain(self) -> None:
        """Return when the peer has read everything.

        Raises:
            ConnectionLost: The connection went down meanwhile.
        """
        await self.peer._idle.wait()
        if self._loss is not None:
            raise self._loss

    async def ping(self) -> None:
        """Return with the pong, which an in-process peer sends at once.

        Raises:
            ConnectionLost: The connection is down.
        """
        await asyncio.sleep(0)
        if self._loss is not None:
            raise self._loss
        self.bytes_received += 1

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with `code`. Idempotent."""
        self._silent = True
        self.end(ConnectionLost.closed(code, reason, local=True))

    def abort(self) -> None:
        """Close at once. Idempotent."""
        self._silent = True
        self.end(ConnectionLost.closed(1006, local=True))

    def take(self, message: str | bytes) -> None:
        """Deliver what the peer sent."""
        if self._silent or self._loss is not None:
            return
        size = len(message.encode() if isinstance(message, str) else message)
        self.bytes_received += size
        limit = self._options.max_message_bytes
        if isinstance(message, bytes):
            _hand_over(self._receiver.invalid, binary_message())
        elif limit is not None and size > limit:
            _hand_over(self._receiver.invalid, message_too_large(limit, message[:BEGINNING], size=size))
            self.end(ConnectionLost.closed(1009, local=True))
        else:
            _hand_over(self._receiver.message, message)

    def end(self, loss: ConnectionLost) -> None:
        """End the connection, once, and report it to both ends."""
        if self._loss is not None:
            return
        self._loss = loss
        self.peer.ended(loss)
        if not self._silent:
            _hand_over(self._receiver.lost, loss)


class MemoryPeer:
    """The server's end of an in-process connection: an iterator over the texts that the client sends.

    Attributes:
        url: What the client dialled.
        loss: How the connection ended, or None.
        unread_bytes: Size of the texts that were not received yet.
        when_ended: Called once, when the connection has ended.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.when_ended: Callable[[], object] | None = None
        self.loss: ConnectionLost | None = None
        self.unread_bytes: int = 0
        self._loop = asyncio.get_running_loop()
        self._transport: MemoryTransport
        self._inbox: asyncio.Queue[str | None] = asyncio.Queue()
        self._idle = asyncio.Event()
        """Set while everything has been received, and when the connection has ended."""
        self._idle.set()

    def attach(self, transport: MemoryTransport) -> None:
        """Connect to the client's end."""
        self._transport = transport

    def send(self, message: str | bytes) -> None:
        """Send to the client; it arrives in the next turn of the event loop."""
        if self.loss is None:
            self._loop.call_soon(self._transport.take, message)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection after what was sent."""
        self._loop.call_soon(self._transport.end, ConnectionLost.closed(code, reason))

    async def receive(self) -> str:
        """Return the next text.

        Raises:
            ConnectionLost: The connection ended.
        """
        text = await self._inbox.get()
        if text is None:
            self._inbox.put_nowait(None)
            raise self.loss or ConnectionLost.closed(1006)
        self.unread_bytes -= len(text.encode())
        if not self.unread_bytes:
            self._idle.set()
        return text

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield every text until the connection ends."""
        try:
            while True:
                yield await self.receive()
        except ConnectionLost:
            return

    def feed(self, text: str) -> None:
        """Handle a text from the client."""
        self.unread_bytes += len(text.encode())
        self._idle.clear()
        self._inbox.put_nowait(text)

    def ended(self, loss: ConnectionLost) -> None:
        """Handle the end of the connection."""
        self.loss = loss
        self._inbox.put_nowait(None)
        self._idle.set()
        if self.when_ended is not None:
            self.when_ended()


class MemoryServer:
    """An in-process server: a `Connect` for `with_transport`.

    Args:
        serve: Runs for each connection, in a task of its own; when it returns the connection is closed.
        capabilities: What the transport claims to be able to do.

    Attributes:
        refusal: An error with which every dial fails; None lets them succeed.
        peers: The server's ends, oldest first.
    """

    def __init__(
        self,
        serve: Callable[[MemoryPeer], Awaitable[None]],
        *,
        capabilities: Capabilities = CAPABILITIES,
    ) -> None:
        self._serve = serve
        self.capabilities = capabilities
        self.refusal: ConnectionFailed | None = None
        self.peers: list[MemoryPeer] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        """Open a connection.

        Raises:
            ConnectionFailed: `refusal` is set.
        """
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        peer = MemoryPeer(url)
        transport = MemoryTransport(receiver, options, peer)
        peer.attach(transport)
        self.peers.append(peer)
        task = asyncio.get_running_loop().create_task(self._run(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return transport

    async def _run(self, peer: MemoryPeer) -> None:
        try:
            await self._serve(peer)
        except ConnectionLost:
            pass
        except Exception:
            _logger.exception("the server's end of a memory transport raised")
        finally:
            peer.close(1000)


def _hand_over(receive: Callable[[T], None], what: T) -> None:
    try:
        receive(what)
    except Exception:
        _logger.exception("a receiver raised, which does not change the connection")
