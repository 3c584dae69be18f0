"""Proxies: the one of the environment, and connections through HTTP and SOCKS proxies.

The tunnel through an HTTP proxy is our own: CONNECT (RFC 9110 section 9.3.6), and TLS through it. The one of
`websockets` 17.4 reports an error to the event loop when a proxy hangs up, and when TLS behind a proxy fails.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import ConfigError
from ..urls import find_proxy_fault, is_socks, shown_proxy
from .http_head import ResponseHead
from .native_addresses import find_addresses, first_of, open_socket
from .native_errors import proxy_refusal, retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["environment_proxy", "open_socks", "open_tunnel"]

_RESOLVED_BY_PROXY = ("socks5h", "socks4a")
"""Schemes with which the proxy resolves the circle's name."""


def environment_proxy(url: str, *, socks: bool) -> str | None:
    """Return the proxy for a `ws://` or `wss://` URL from `WSS_PROXY`, `SOCKS_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`.

    For `ws://` it is `WS_PROXY` first, and `HTTP_PROXY` before `ALL_PROXY`; `NO_PROXY` names the hosts without a proxy.
    Names in lower case count too, and on macOS and Windows the system's settings.

    Args:
        url: A checked URL.
        socks: Whether a SOCKS proxy can be used.

    Raises:
        ConfigError: The proxy cannot be used.
    """
    proxy = _look_up(url)
    if proxy is None:
        return None
    fault = find_proxy_fault(proxy)
    if fault is None and is_socks(proxy) and not socks:
        fault = "is a SOCKS proxy, for which a package is missing: python3 -m pip install 'circle-ws[socks]'"
    if fault is not None:
        raise ConfigError(
            f"the environment's proxy {shown_proxy(proxy)!r} {fault}; correct the environment, or set proxy=None",
            option="proxy",
        )
    return proxy


def _look_up(url: str) -> str | None:
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    if proxy_bypass(f"{parts.hostname}:{parts.port or (443 if secure else 80)}"):
        return None
    # The order of `websockets`, which is that of RFC 6455 section 4.1; `ALL_PROXY` comes last.
    names = ("wss", "socks", "https", "all") if secure else ("ws", "socks", "https", "http", "all")
    proxies = getproxies()
    for name in names:
        proxy = proxies.get(name)
        if not proxy:
            continue
        # Some systems write the address of a SOCKS proxy with http://.
        kind = "socks5h" if name == "socks" else "http"
        address = proxy.removeprefix("http://") if name == "socks" else proxy
        return address if "://" in address else f"{kind}://{address}"
    return None


async def open_tunnel(
    proxy: str, target: str, *, tls: ssl.SSLContext | None, user_agent: str, passed: Callable[[], None]
) -> asyncio.Transport:
    """Return a transport to the server through an HTTP proxy. Cancelling it leaves nothing behind.

    Args:
        proxy: The proxy's checked URL.
        target: The server's checked URL.
        tls: The context that checks a `wss://` server's certificate; None uses the system's, as for the proxy.
        user_agent: The header `User-Agent`.
        passed: Called when the proxy has opened the tunnel.

    Raises:
        ConnectionFailed: The proxy refused.
        OSError: The connection failed, or TLS.
        EOFError: The proxy hung up.
    """
    loop = asyncio.get_running_loop()
    at, to = urlsplit(proxy), urlsplit(target)
    secure = at.scheme == "https"
    response = loop.create_future()
    host = (at.hostname or "").removesuffix(".")
    transport, protocol = await loop.create_connection(
        lambda: _Connect(_request(at, to, user_agent), response),
        sock=await open_socket(host, at.port or (443 if secure else 80)),
        ssl=ssl.create_default_context() if secure else None,
        server_hostname=host if secure else None,
    )
    try:
        _check(await response, proxy)
        passed()
        if to.scheme == "wss":
            context = tls or ssl.create_default_context()
            upgraded = await loop.start_tls(transport, protocol, context, server_hostname=to.hostname)
            transport = cast("asyncio.Transport", upgraded)
        if transport.is_closing():
            raise ConnectionResetError
    except BaseException:
        transport.abort()
        raise
    return transport


class _Connect(asyncio.Protocol):
    """The protocol that requests the tunnel and reads the head of the response."""

    def __init__(self, request: bytes, response: asyncio.Future[ResponseHead]) -> None:
        self._request = request
        self._response = response
        self._head = ResponseHead()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._response.done() and self._head.feed(data):
            self._response.set_result(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._response.done():
            return
        if self._head.finish():
            self._response.set_result(self._head)
        else:
            self._response.set_exception(exc or EOFError())
            # Marks the error as retrieved: after a cancelled attempt no task awaits it.
            self._response.exception()


def _request(proxy: SplitResult, target: SplitResult, user_agent: str) -> bytes:
    host = f"[{target.hostname}]" if ":" in (target.hostname or "") else target.hostname
    place = f"{host}:{target.port or (443 if target.scheme == 'wss' else 80)}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", f"User-Agent: {user_agent}"]
    if proxy.username is not None and proxy.password is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password)}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _check(head: ResponseHead, proxy: str) -> None:
    if head.status is None or head.status < 200:
        raise ConnectionResetError
    if head.status >= 300:
        retry_after = retry_after_seconds(head.header(b"retry-after"), head.header(b"date"))
        raise proxy_refusal(head.status, retry_after, shown_proxy(proxy))


async def open_socks(
    proxy: SplitResult,
    host: str,
    port: int,
    connect: Callable[[str, str], Coroutine[Any, Any, socket.socket]],
) -> socket.socket:
    """Return a socket to the circle through a SOCKS proxy. Cancelling it leaves nothing behind.

    Args:
        proxy: The proxy's checked URL.
        host: The circle's host.
        port: The circle's port.
        connect: Function that connects through the proxy at an address to a host.

    Raises:
        OSError: The proxy cannot be reached (see the cause), or the circle's host cannot be resolved.
        Exception: Any exception of `connect`.
    """
    via = await _reachable((proxy.hostname or "").removesuffix("."), proxy.port or 0)
    hosts = [host]
    if proxy.scheme not in _RESOLVED_BY_PROXY:
        family = socket.AF_INET if proxy.scheme == "socks4" else socket.AF_UNSPEC
        hosts = [where[0] for _, where in await find_addresses(host, port, family)]
    return await first_of([partial(connect, via, one) for one in hosts])


async def _reachable(host: str, port: int) -> str:
    """Return an address of the proxy that answers, because the package only tries the first one."""
    try:
        addresses = await find_addresses(host, port)
        if len(addresses) == 1:
            address: str = addresses[0][1][0]
            return address
        with await open_socket(host, port) as opened:
            answering: str = opened.getpeername()[0]
            return answering
    except OSError as error:
        raise ConnectionError("the SOCKS proxy cannot be reached") from error
