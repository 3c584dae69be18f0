"""The native transport, over `websockets`.

Whole messages go straight from the protocol to the receiver: no reader task, no queue. Keep-alive, time limits and
reconnecting are the engine's, so those of `websockets` are off.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, cast

import websockets.asyncio.client as websockets_client
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    PayloadTooBig,
)
from websockets.frames import Frame, Opcode
from websockets.http11 import USER_AGENT
from websockets.protocol import OPEN, Event

from ..errors import ConnectionFailed, ConnectionLost, MessageTooLarge, ProtocolError, RedirectRefused
from ..url import is_loopback
from .base import Capabilities, Receiver, TransportOptions

__all__ = ["NativeConnect", "NativeTransport", "connect"]

_logger = logging.getLogger("circle_ws.transport")
# At level DEBUG `websockets` logs whole frames, and with them signatures.
_websockets_logger = logging.getLogger("circle_ws.transport.websockets")
_websockets_logger.setLevel(logging.WARNING)


class NativeTransport:
    """Be one open WebSocket of the package `websockets`."""

    __slots__ = ("_link",)

    def __init__(self, link: _Link) -> None:
        self._link = link

    @property
    def buffered(self) -> int:
        """Bytes that are not yet on their way."""
        return self._link.transport.get_write_buffer_size()

    @property
    def bytes_received(self) -> int:
        """Bytes received so far, control frames included."""
        return self._link.bytes_received

    def send(self, text: str) -> None:
        """Hand over one text message.

        Raises:
            ConnectionLost: The link is known to be down.
        """
        link = self._link
        if link.protocol.state is not OPEN:
            raise link.loss()
        link.protocol.send_text(text.encode())
        link.send_data()

    async def drain(self) -> None:
        """Return when writing more makes sense.

        Raises:
            ConnectionLost: The link went down meanwhile.
        """
        try:
            await self._link.drain()
        except OSError as error:
            raise self._link.loss() from error
        if self._link.protocol.state is not OPEN:
            raise self._link.loss()

    async def ping(self) -> None:
        """Send a ping frame; return with its pong.

        Raises:
            ConnectionLost: The link went down meanwhile.
        """
        try:
            await (await self._link.ping())
        except ConnectionClosed as error:
            raise self._link.loss() from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the handshake, within `close_timeout`. Idempotent; a cancelled one aborts."""
        self._link.silent = True
        try:
            await self._link.close(code, reason)
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        """Close at once, without the handshake. Idempotent."""
        self._link.silent = True
        self._link.transport.abort()


class _Link(websockets_client.ClientConnection):
    """Hand whole messages to a receiver as soon as they are parsed."""

    def __init__(self, *args: Any, receiver: Receiver, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.receiver = receiver
        self.bytes_received = 0
        self.silent = False
        self._ended = False
        self._fragments: list[Any] = []
        self._text = True
        self._hang_up: asyncio.TimerHandle | None = None

    def loss(self) -> ConnectionLost:
        """Describe how the link went down."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None and (sent is None or self.protocol.close_rcvd_then_sent):
            return ConnectionLost.closed(received.code, received.reason)
        if sent is not None:
            return ConnectionLost.closed(sent.code, sent.reason, local=True)
        return ConnectionLost.closed(1006)

    def process_event(self, event: Event) -> None:
        if self.response is None or not isinstance(event, Frame):
            super().process_event(event)
        elif event.opcode is Opcode.PONG:
            self.acknowledge_pings(bytes(event.data))
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) and not self.silent:
            self._take(event)

    def _take(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        if not frame.fin:
            self._fragments.append(frame.data)
            return
        data = frame.data
        if self._fragments:
            data = b"".join([*self._fragments, data])
            self._fragments.clear()
        self._deliver(data)

    def _deliver(self, data: Any) -> None:
        try:
            if self._text:
                self.receiver.message(str(data, "utf-8"))
            else:
                self.receiver.invalid(ProtocolError("a binary message came in; a circle speaks JSON text"))
        except UnicodeDecodeError:
            self.protocol.fail(1007, "invalid UTF-8")
            self.send_data()
        except Exception:
            _logger.exception("a receiver raised; the connection goes on")

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        super().data_received(data)
        if self.response is not None and self.protocol.state is not OPEN:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._hang_up is not None:
            self._hang_up.cancel()
        if self.response is not None:
            self._end()

    def _end(self) -> None:
        """Tell the receiver, once, that the link is down; do not wait for the server to close TCP."""
        if self._ended or self.protocol.handshake_exc is not None:
            return
        self._ended = True
        self.transport.close()
        if self.close_timeout is not None:
            self._hang_up = self.loop.call_later(self.close_timeout, self.transport.abort)
        if self.silent:
            return
        try:
            if isinstance(self.protocol.parser_exc, PayloadTooBig):
                self.receiver.invalid(_too_large(self.protocol.max_message_size))
            self.receiver.lost(self.loss())
        except Exception:
            _logger.exception("a receiver raised; the connection is down all the same")


class _Dial(websockets_client.connect):
    """Dial once; follow no redirect."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class NativeConnect:
    """Open WebSockets through the package `websockets`."""

    capabilities = Capabilities(ping=True, headers=True, proxy=True, tls=True, http_status=True)

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> NativeTransport:
        """Dial `url`; return once the socket is open. A cancelled one leaves nothing behind.

        Raises:
            ConnectionFailed: It could not be opened; the message says what to look at.
        """
        # Without a context `websockets` makes the system's own, which checks the certificate and the host name.
        tls: dict[str, Any] = {} if options.tls is None else {"ssl": options.tls}
        dial = _Dial(
            url,
            create_connection=cast("type[_Link]", partial(_Link, receiver=receiver)),
            compression=None,
            proxy=None if is_loopback(url) else True,
            user_agent_header=f"circle-ws {USER_AGENT}",
            open_timeout=None,
            ping_interval=None,
            close_timeout=options.close_timeout,
            max_size=options.max_message_bytes,
            max_queue=None,
            logger=_websockets_logger,
            **tls,
        )
        try:
            return NativeTransport(cast("_Link", await dial))
        except (OSError, InvalidHandshake, ConnectionClosed, EOFError) as error:
            raise _failure(error) from error


connect = NativeConnect()


def _too_large(limit: int | None) -> MessageTooLarge:
    return MessageTooLarge(
        f"an incoming message is over max_message_bytes ({limit}); raise it with with_limits()", limit=limit
    )


def _failure(error: Exception) -> ConnectionFailed:
    if isinstance(error, InvalidStatus):
        return _refused_upgrade(error)
    if isinstance(error, socket.gaierror):
        return ConnectionFailed("the host is unknown; check its name in the URL, and the network")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionFailed(
            f"the server's TLS certificate is not to be trusted: {error.verify_message}; "
            "check the host name in the URL and the server's certificate",
            bad_certificate=True,
        )
    if isinstance(error, ssl.SSLError):
        return ConnectionFailed(f"TLS failed ({error.reason}); does it speak wss:// on this port?")
    if isinstance(error, ConnectionRefusedError):
        return ConnectionFailed("the connection was refused; is the circle running, and the port right?")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return ConnectionFailed("the server hung up at once; does it speak ws:// or wss:// on this port?")
    if isinstance(error, InvalidMessage | EOFError):
        return ConnectionFailed("the server did not answer with HTTP; is this a WebSocket server?")
    if isinstance(error, InvalidHandshake):
        return ConnectionFailed(f"the WebSocket handshake failed: {error}")
    return ConnectionFailed(f"the connection could not be made: {error or type(error).__name__}")


def _refused_upgrade(error: InvalidStatus) -> ConnectionFailed:
    status = error.response.status_code
    if 300 <= status < 400:
        return RedirectRefused(
            f"the server redirects (HTTP {status}), which is never followed; dial the new address itself",
            http_status=status,
        )
    return ConnectionFailed(
        f"the server refused the WebSocket with HTTP {status}; check the path in the URL",
        http_status=status,
        retry_after=_retry_after(error.response.headers.get("Retry-After")),
    )


def _retry_after(value: str | None) -> float | None:
    """Read `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
