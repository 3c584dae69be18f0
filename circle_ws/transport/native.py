"""The native transport over `websockets`: it connects directly or through a proxy, and follows no redirect.

The engine does keep-alive, timeouts and reconnects, so those of `websockets` are off. What it returns, the open
connection, is in `native_connection`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import websockets.asyncio.client as websockets_client
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.http11 import USER_AGENT
from websockets.proxy import parse_proxy
from websockets.typing import Subprotocol

from ..errors import CircleWsError, ConnectionFailed
from ..text import shown
from ..urls import ENVIRONMENT, is_loopback, is_socks, shown_proxy
from .base import Capabilities, Receiver, TransportOptions
from .native_addresses import open_socket
from .native_connection import BufferedConnection, Connection, NativeTransport

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Coroutine

__all__ = ["NativeConnect", "connect"]

# At level DEBUG `websockets` logs whole frames, and with them signatures.
_websockets_logger = logging.getLogger("circle_ws.transport.websockets")
_websockets_logger.setLevel(logging.WARNING)
_AGENT = f"circle-ws {USER_AGENT}"


class _Attempt:
    """The factory of the connection, which knows whether a failure is the proxy's or the server's."""

    def __init__(self, proxy: str | None, receiver: Receiver, waiting_for: Callable[[str], None]) -> None:
        self._proxy = None if proxy is None else shown_proxy(proxy)
        self._at_proxy = proxy is not None
        self._receiver = receiver
        self._waiting_for = waiting_for
        if proxy is not None:
            waiting_for(f"the proxy {self._proxy}")

    def __call__(self, *args: Any, **kwargs: Any) -> Connection:
        if self._at_proxy:
            self.passed_proxy()
        selector = isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
        return (BufferedConnection if selector else Connection)(*args, receiver=self._receiver, **kwargs)

    def passed_proxy(self) -> None:
        self._at_proxy = False
        self._waiting_for("the WebSocket to open")

    def failure(self, error: Exception) -> ConnectionFailed:
        from .native_errors import network_failure, proxy_failure, retry_after_seconds, upgrade_refusal

        if self._at_proxy and self._proxy is not None:
            return proxy_failure(error, self._proxy)
        via = "" if self._proxy is None else f" (through the proxy {self._proxy})"
        if isinstance(error, InvalidStatus):
            # A server may send a header twice, for which `get` raises.
            headers = error.response.headers
            names = ("Retry-After", "Date", "Location")
            retry_after, date, location = (next(iter(headers.get_all(name)), None) for name in names)
            return upgrade_refusal(error.response.status_code, retry_after_seconds(retry_after, date), location, via)
        if isinstance(error, InvalidMessage | EOFError):
            return ConnectionFailed(f"the server did not answer with HTTP; is this a WebSocket server?{via}")
        if isinstance(error, InvalidHandshake):
            return ConnectionFailed(f"the WebSocket handshake failed: {shown(str(error))}{via}")
        return network_failure(error, via)


class _Dial(websockets_client.connect):
    """One attempt of `websockets`, without redirects, and with our own tunnel through an HTTP proxy."""

    def __init__(self, url: str, attempt: _Attempt, tls: ssl.SSLContext | None, **options: Any) -> None:
        self._attempt = attempt
        self._tls = tls
        # Without a context `websockets` makes one that checks the certificate and the host name by the system's store.
        given: dict[str, Any] = {} if tls is None else {"ssl": tls}
        super().__init__(
            url, create_connection=cast("type[Connection]", attempt), user_agent_header=_AGENT, **given, **options
        )

    async def open_tcp_connection(self) -> websockets_client.ClientConnection:
        if not isinstance(self.proxy, str):
            opened = await open_socket(self.ws_uri.host, self.ws_uri.port)
        elif is_socks(self.proxy):
            opened = await self._open_socks(self.proxy)
        else:
            return await self._open_tunnel(self.proxy)
        self.create_connection_kwargs["sock"] = opened
        return await super().open_tcp_connection()

    async def _open_socks(self, proxy: str) -> socket.socket:
        from .native_proxy import open_socks

        at, to = parse_proxy(proxy), self.ws_uri

        def connect(via: str, host: str) -> Coroutine[Any, Any, socket.socket]:
            return websockets_client.connect_socks_proxy(replace(at, host=via), replace(to, host=host))

        return await open_socks(urlsplit(proxy), to.host, to.port, connect)

    async def _open_tunnel(self, proxy: str) -> websockets_client.ClientConnection:
        from .native_proxy import open_tunnel

        transport = await open_tunnel(
            proxy, self.uri, tls=self._tls, user_agent=_AGENT, passed=self._attempt.passed_proxy
        )
        connection = self.factory(self.ws_uri)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        return connection

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@cache
def _capabilities() -> Capabilities:
    # Cached: looking for a package takes as long as making a client.
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


class NativeConnect:
    """The native `Connect`, through the package `websockets`."""

    @property
    def capabilities(self) -> Capabilities:
        """Everything; SOCKS if its package is installed."""
        return _capabilities()

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> NativeTransport:
        """Connect to `url`; return once the socket is open. Cancelling it leaves nothing behind.

        Raises:
            ConnectionFailed: It could not be opened; the message says what to check.
            ConfigError: The environment names a proxy that cannot be used.
        """
        proxy = self.find_proxy(url, options.proxy)
        attempt = _Attempt(proxy, receiver, options.waiting_for)
        dial = _Dial(
            url,
            attempt,
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
            return NativeTransport(cast("Connection", await dial))
        except CircleWsError:
            raise
        except Exception as error:
            # Unexpected exceptions of the library too: another attempt may work, so they must not end the client.
            raise attempt.failure(error) from error

    def find_proxy(self, url: str, option: str | None) -> str | None:
        """Return the proxy through which a checked URL is dialled, or None.

        Args:
            url: The circle's URL.
            option: `TransportOptions.proxy`.

        Raises:
            ConfigError: The environment names a proxy that cannot be used.
        """
        if is_loopback(url):
            return None
        if option != ENVIRONMENT:
            return option
        from .native_proxy import environment_proxy

        return environment_proxy(url, socks=self.capabilities.socks)


connect: NativeConnect = NativeConnect()
