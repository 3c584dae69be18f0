"""The socket of one client, with a bounded backlog; a client that does not react is disconnected."""

from __future__ import annotations

import logging
from threading import get_ident
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CONNECTING, OPEN

from ..errors import ConnectionLost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from websockets.http11 import Request

    from .rules import Origins

__all__ = ["ClientSocket", "opening_response"]

_logger = logging.getLogger("circle_ws.server")

TRY_AGAIN_LATER = 1013
"""The close code for slow clients, from the registry of RFC 6455 section 11.7: reconnect later.

Not 1008, a violated policy: a slow client did nothing wrong, and clients give up after a few of those.
"""
HEALTH = "/health"
"""The path that load balancers ask for."""
_GOOD_HEALTH = b'{"status":"ok"}\n'

_CHUNK = 256 * 1024
"""How many bytes of the backlog are handed to the transport at once; it reports when the client has read them."""


class ClientSocket(ServerConnection):
    """A server connection of the package `websockets` with a bounded backlog.

    `websockets` itself sets no limit: for a client that stops reading, what is sent without waiting, pongs too, stays
    in memory for ever, keep-alive never finds it (its pings wait to be written), and closing it waits for ever.

    Args:
        sockets: Holds this one for as long as its TCP connection is there.
        max_backlog: Maximum number of bytes sent without waiting to a client that does not keep up.
        stall_timeout: How long a client that does not keep up may read nothing at all, in seconds.

    Attributes:
        when_lost: Called once, when the TCP connection is gone.
        thread: The thread of the circle's event loop.
    """

    def __init__(
        self, *args: Any, sockets: set[ClientSocket], max_backlog: int, stall_timeout: float, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.when_lost: Callable[[], object] | None = None
        self.thread: int = get_ident()
        self._sockets = sockets
        self._max_backlog = max_backlog
        self._stall_timeout = stall_timeout
        self._written = 0
        # What waits for a client that does not keep up. In one piece: asyncio's buffer goes through all its pieces
        # whenever it is written to or asked for its size.
        self._held = bytearray()
        self._held_pong: bytes | None = None
        # The library itself writes a pong for each ping, however many the client leaves unread.
        self.protocol.send_frame = self._send_frame  # type: ignore[method-assign]
        self._hang_up: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    async def next_message(self) -> str | bytes | None:
        """Return the client's next message; None when the connection is closed, in whatever way."""
        try:
            return await self.recv()
        except ConnectionClosed:
            return None

    def push(self, text: bytes) -> bool:
        """Send a text message without waiting; returns whether that was possible.

        Args:
            text: UTF-8.
        """
        if not self._is_open():
            return False
        self.protocol.send_text(text)
        self.send_data()
        return True

    async def wait_until_read(self) -> None:
        """Return when the client has read what came before, or is gone."""
        while self.paused:
            try:
                await self.drain()
            except OSError:
                return

    def drop(self, why: str, code: int = TRY_AGAIN_LATER) -> None:
        """Close the connection; the client is cut off when it does not hang up within `close_timeout`.

        Args:
            why: At most 123 bytes.
            code: By default the one that asks the client to reconnect later.
        """
        if not self._is_open():
            return
        # No warning: any stranger can connect and not sign in, as often as it likes.
        _logger.log(logging.WARNING if code == TRY_AGAIN_LATER else logging.INFO, "a client is dropped: %s", why)
        self.protocol.send_close(code, why)
        self.send_data()

    def abort(self) -> None:
        """Cut the connection off, without a closing handshake."""
        self.transport.abort()

    def loss(self) -> ConnectionLost:
        """Return how the connection ended."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None and (sent is None or self.protocol.close_rcvd_then_sent):
            words = f"the client is gone: it closed the connection with code {received.code}"
            return ConnectionLost(words, code=received.code, reason=received.reason)
        if sent is not None:
            words = f"the client is gone: the circle closed the connection with code {sent.code}"
            return ConnectionLost(words, code=sent.code, reason=sent.reason, local=True)
        return ConnectionLost("the client is gone, without a closing handshake (1006)")

    # Called by `websockets` and asyncio.

    def send_data(self) -> None:
        """Write the protocol's output: everything that goes out passes here, and the end of the connection too."""
        writes = self.protocol.data_to_send()
        data = b"".join(writes)
        if self._held or self.paused:
            self._held += data
        elif data:
            self._write(data)
        if b"" in writes:  # The end, after which nothing more is sent.
            self._write(self._held)
            self._held = bytearray()
            self.protocol.writes.append(b"")
            super().send_data()
        if self._is_open():
            if len(self._held) > self._max_backlog:
                self.drop("too slow: more waits for you than max_backlog_bytes")
        elif self._hang_up is None and self.state is not CONNECTING and self.close_timeout is not None:
            self._hang_up = self.loop.call_later(self.close_timeout, self.transport.abort)

    def _write(self, data: bytes | bytearray) -> None:
        self._written += len(data)
        self.transport.write(data)

    def _send_frame(self, frame: Frame) -> None:
        """Write a frame of the library's; for a client that does not read only the latest pong is kept.

        RFC 6455 section 5.5.3 allows to answer only the most recent ping.
        """
        if frame.opcode is Opcode.PONG and self.paused:
            self._held_pong = bytes(frame.data)
        else:
            type(self.protocol).send_frame(self.protocol, frame)

    def pause_writing(self) -> None:
        """Handle a client that does not keep up."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Handle a client that has read nearly everything."""
        super().resume_writing()
        self._stop_watching()
        pong, self._held_pong = self._held_pong, None
        if pong is not None and self._is_open():
            self.protocol.send_pong(pong)
            self.send_data()
        while self._held and not self.paused:
            data = self._held[:_CHUNK]
            del self._held[:_CHUNK]
            self._write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Handle a new TCP connection."""
        super().connection_made(transport)
        self._sockets.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the TCP connection."""
        super().connection_lost(exc)
        self._held = bytearray()
        self._sockets.discard(self)
        self._stop_watching()
        if self._hang_up is not None:
            self._hang_up.cancel()
        if self.when_lost is not None:
            self.when_lost()

    def _is_open(self) -> bool:
        return self.state is OPEN

    def _watch(self) -> None:
        taken = self._written - self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self._stall_timeout, self._look, taken)

    def _look(self, taken_before: int) -> None:
        if self._written - self.transport.get_write_buffer_size() > taken_before:
            self._watch()
        else:
            self.drop(f"too slow: you read nothing for {self._stall_timeout:g} s")

    def _stop_watching(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


def opening_response(origins: Origins, socket: ServerConnection, request: Request) -> Response | None:
    """Return the HTTP response to a request that is not to become a WebSocket; None accepts the handshake."""
    is_health = request.method in ("GET", "HEAD") and request.path.partition("?")[0] == HEALTH
    if is_health and "Upgrade" not in request.headers:
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(_GOOD_HEALTH)),
            "Cache-Control": "no-store",
            "Connection": "close",
        }
        return Response(200, "OK", Headers(headers), b"" if request.method == "HEAD" else _GOOD_HEALTH)
    if not origins.admit(request.headers.get_all("Origin")):
        return socket.respond(403, "Pages of this origin are not admitted; the circle's log says how to.\n")
    return None
