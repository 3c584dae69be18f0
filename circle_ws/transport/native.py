"""The native transport, over `websockets`.

Whole messages go straight from the protocol to the receiver: no reader task, no queue. Keep-alive, time limits and
reconnecting are the engine's, so those of `websockets` are off.
"""

from __future__ import annotations

import asyncio
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import websockets.asyncio.client as websockets_client
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    NegotiationError,
    PayloadTooBig,
)
from websockets.frames import Frame, Opcode
from websockets.http11 import USER_AGENT
from websockets.protocol import OPEN, Event
from websockets.typing import Subprotocol

from ..errors import ConnectionFailed, ConnectionLost, MessageTooLarge, ProtocolError
from ..proxy import ENVIRONMENT, is_socks, shown_proxy
from ..url import is_loopback
from .base import Capabilities, Receiver, TransportOptions
from .environment import environment_proxy
from .failures import network_failure, proxy_failure, retry_after_seconds, upgrade_refusal
from .tunnel import open_tunnel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

__all__ = ["NativeConnect", "NativeTransport", "connect"]

_logger = logging.getLogger("circle_ws.transport")
# At level DEBUG `websockets` logs whole frames, and with them signatures.
_websockets_logger = logging.getLogger("circle_ws.transport.websockets")
_websockets_logger.setLevel(logging.WARNING)
_AGENT = f"circle-ws {USER_AGENT}"


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
            # The library's own limit begins when the peer has read what was written before.
            async with asyncio.timeout(self._link.close_timeout):
                await self._link.close(code, reason)
        except TimeoutError:
            self.abort()
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
        if self.response is None:
            self._check_subprotocol()
        if self.response is None or not isinstance(event, Frame):
            super().process_event(event)
        elif event.opcode is Opcode.PONG:
            self.acknowledge_pings(bytes(event.data))
        elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) and not self.silent:
            self._take(event)

    def _check_subprotocol(self) -> None:
        """Fail the handshake where the server took none that was offered, as the browsers' standard has it."""
        offered = self.protocol.available_subprotocols
        if offered and self.protocol.subprotocol is None and self.protocol.handshake_exc is None:
            self.silent = True
            self.protocol.handshake_exc = NegotiationError(
                f"the server took none of the subprotocols that were offered: {', '.join(offered)}"
            )

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
        limit = self.protocol.max_message_size
        if limit is not None and len(data) > limit:
            self._refuse(PayloadTooBig(len(data), limit))
        else:
            self._deliver(data)

    def _refuse(self, error: PayloadTooBig) -> None:
        """End the link for what zlib had held back: `websockets` lets it in with an empty last fragment."""
        self.protocol.parser_exc = error
        self.protocol.fail(1009, str(error))
        self.send_data()
        self._end()
        self.silent = True

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


class _Way:
    """Make the link once TCP to the server stands, through a proxy or not; know until then whose fault a failure is."""

    def __init__(self, proxy: str | None, receiver: Receiver, waiting_for: Callable[[str], None]) -> None:
        self._proxy = None if proxy is None else shown_proxy(proxy)
        self._at_proxy = proxy is not None
        self._receiver = receiver
        self._waiting_for = waiting_for
        if proxy is not None:
            waiting_for(f"the proxy {self._proxy}")

    def __call__(self, *args: Any, **kwargs: Any) -> _Link:
        self.pass_proxy()
        return _Link(*args, receiver=self._receiver, **kwargs)

    def pass_proxy(self) -> None:
        self._at_proxy = False
        self._waiting_for("the WebSocket to open")

    def describe(self, error: Exception) -> ConnectionFailed:
        if self._at_proxy and self._proxy is not None:
            return proxy_failure(error, self._proxy)
        way = "" if self._proxy is None else f" (through the proxy {self._proxy})"
        if isinstance(error, InvalidStatus):
            # A server may send a header twice, of which `get` makes an error.
            headers = error.response.headers
            retry_after, date = (next(iter(headers.get_all(name)), None) for name in ("Retry-After", "Date"))
            return upgrade_refusal(error.response.status_code, retry_after_seconds(retry_after, date), way)
        if isinstance(error, InvalidMessage | EOFError):
            return ConnectionFailed(f"the server did not answer with HTTP; is this a WebSocket server?{way}")
        if isinstance(error, InvalidHandshake):
            return ConnectionFailed(f"the WebSocket handshake failed: {error}{way}")
        return network_failure(error, way)


class _Dial(websockets_client.connect):
    """Dial once; follow no redirect; go through an HTTP proxy by our own tunnel."""

    def __init__(self, url: str, way: _Way, tls: ssl.SSLContext | None, **options: Any) -> None:
        self._way = way
        self._tls = tls
        # Without a context `websockets` makes the system's own, which checks the certificate and the host name.
        given: dict[str, Any] = {} if tls is None else {"ssl": tls}
        super().__init__(url, create_connection=cast("type[_Link]", way), user_agent_header=_AGENT, **given, **options)

    async def open_tcp_connection(self) -> websockets_client.ClientConnection:
        if not isinstance(self.proxy, str) or is_socks(self.proxy):
            return await super().open_tcp_connection()
        transport = await open_tunnel(
            self.proxy, self.uri, tls=self._tls, user_agent=_AGENT, passed=self._way.pass_proxy
        )
        link = self.factory(self.ws_uri)
        transport.set_protocol(link)
        link.connection_made(transport)
        return link

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class NativeConnect:
    """Open WebSockets through the package `websockets`."""

    @property
    def capabilities(self) -> Capabilities:
        """Everything; SOCKS where its package is there."""
        return Capabilities(
            ping=True,
            headers=True,
            proxy=True,
            tls=True,
            http_status=True,
            subprotocols=True,
            compression=True,
            socks=find_spec("python_socks") is not None,
        )

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> NativeTransport:
        """Dial `url`; return once the socket is open. A cancelled one leaves nothing behind.

        Raises:
            ConnectionFailed: It could not be opened; the message says what to look at.
            ConfigError: The environment names a proxy that cannot be used.
        """
        proxy = self._find_proxy(url, options.proxy)
        way = _Way(proxy, receiver, options.waiting_for)
        dial = _Dial(
            url,
            way,
            options.tls,
            additional_headers=options.headers,
            subprotocols=[Subprotocol(name) for name in options.subprotocols] or None,
            compression="deflate" if options.compression else None,
            proxy=proxy,
            open_timeout=None,
            ping_interval=None,
            close_timeout=options.close_timeout,
            max_size=options.max_message_bytes,
            max_queue=None,
            logger=_websockets_logger,
        )
        try:
            return NativeTransport(cast("_Link", await dial))
        except ConnectionFailed:
            raise
        except (OSError, InvalidHandshake, ConnectionClosed, EOFError) as error:
            raise way.describe(error) from error

    def _find_proxy(self, url: str, option: str | None) -> str | None:
        if is_loopback(url):
            return None
        return environment_proxy(url, socks=self.capabilities.socks) if option == ENVIRONMENT else option


connect = NativeConnect()


def _too_large(limit: int | None) -> MessageTooLarge:
    return MessageTooLarge(
        f"an incoming message is over max_message_bytes ({limit}); raise it with with_limits()", limit=limit
    )
