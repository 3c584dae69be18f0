"""A tunnel through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6), and TLS through it.

That of `websockets` reports an error to the event loop when a proxy hangs up, and when TLS fails behind it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, unquote, urlsplit

from ..proxy import shown_proxy
from .native_addresses import open_socket
from .native_answer import AnswerHead
from .native_errors import proxy_refusal, retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["open_tunnel"]


async def open_tunnel(
    proxy: str, target: str, *, tls: ssl.SSLContext | None, user_agent: str, passed: Callable[[], None]
) -> asyncio.Transport:
    """Give a transport to the server; a cancelled one leaves nothing behind.

    Args:
        proxy: The proxy's checked URL.
        target: The server's checked URL.
        tls: How a `wss://` server's certificate is checked; None is the system's way, which is that for a proxy too.
        user_agent: The header `User-Agent`.
        passed: Called when the proxy has done its part.

    Raises:
        ConnectionFailed: The proxy refused.
        OSError: The connection failed, or TLS.
        EOFError: The proxy hung up.
    """
    loop = asyncio.get_running_loop()
    at, to = urlsplit(proxy), urlsplit(target)
    secure = at.scheme == "https"
    answer = loop.create_future()
    host = (at.hostname or "").removesuffix(".")
    transport, protocol = await loop.create_connection(
        lambda: _Connect(_request(at, to, user_agent), answer),
        sock=await open_socket(host, at.port or (443 if secure else 80)),
        ssl=ssl.create_default_context() if secure else None,
        server_hostname=host if secure else None,
    )
    try:
        _check(await answer, proxy)
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
    """Asks for the tunnel, and takes the head of the answer."""

    def __init__(self, request: bytes, answer: asyncio.Future[AnswerHead]) -> None:
        self._request = request
        self._answer = answer
        self._head = AnswerHead()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._answer.done() and self._head.feed(data):
            self._answer.set_result(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer.done():
            return
        if self._head.finish():
            self._answer.set_result(self._head)
        else:
            self._answer.set_exception(exc or EOFError())
            # It changes nothing, but says that the error was seen: a cancelled dial may have nobody who waits.
            self._answer.exception()


def _request(proxy: SplitResult, target: SplitResult, user_agent: str) -> bytes:
    host = f"[{target.hostname}]" if ":" in (target.hostname or "") else target.hostname
    place = f"{host}:{target.port or (443 if target.scheme == 'wss' else 80)}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", f"User-Agent: {user_agent}"]
    if proxy.username is not None and proxy.password is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password)}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _check(head: AnswerHead, proxy: str) -> None:
    if head.status is None or head.status < 200:
        raise ConnectionResetError
    if head.status >= 300:
        retry_after = retry_after_seconds(head.header(b"retry-after"), head.header(b"date"))
        raise proxy_refusal(head.status, retry_after, shown_proxy(proxy))
