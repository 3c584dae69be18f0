"""A tunnel through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6), and TLS through it.

That of `websockets` reports an error to the event loop when a proxy hangs up, and when TLS fails behind it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, unquote, urlsplit

from ..proxy import shown_proxy
from .failures import proxy_refusal, retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["open_tunnel"]

_LONGEST_HEAD = 64 * 1024
_STATUS = re.compile(r"HTTP/1\.[01] ([2-5]\d\d)(?: |$)")


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
    transport, protocol = await loop.create_connection(
        lambda: _Connect(_request(at, to, user_agent), answer),
        at.hostname or "",
        at.port or (443 if secure else 80),
        ssl=ssl.create_default_context() if secure else None,
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
    """Ask for the tunnel, and take the head of the answer."""

    def __init__(self, request: bytes, answer: asyncio.Future[bytes]) -> None:
        self._request = request
        self._answer = answer
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if self._answer.done():
            return
        if end >= 0:
            self._answer.set_result(self._head[:end])
        elif len(self._head) > _LONGEST_HEAD:
            self._answer.set_exception(ConnectionResetError())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc or EOFError())


def _request(proxy: SplitResult, target: SplitResult, user_agent: str) -> bytes:
    host = f"[{target.hostname}]" if ":" in (target.hostname or "") else target.hostname
    place = f"{host}:{target.port or (443 if target.scheme == 'wss' else 80)}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", f"User-Agent: {user_agent}"]
    if proxy.username is not None and proxy.password is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password)}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _check(head: bytes, proxy: str) -> None:
    first, *rest = head.decode("latin-1").split("\r\n")
    found = _STATUS.match(first)
    if found is None:
        raise ConnectionResetError
    if (status := int(found[1])) >= 300:
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        retry_after = retry_after_seconds(headers.get("retry-after"), headers.get("date"))
        raise proxy_refusal(status, retry_after, shown_proxy(proxy))
