"""The way to a circle below the WebSocket: names, TCP and TLS, each tried by itself.

The client does all of it in one; here each has its own time and its own fault. TCP and the order of addresses are the
transport's own.
"""

import asyncio
import math
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import SplitResult

from ...errors import ConnectionFailed
from ...text import shown
from ...transport.http_head import ResponseHead
from ...transport.native_addresses import find_addresses, open_socket
from ...transport.native_errors import network_failure

__all__ = ["Certificate", "Place", "connect", "handshake", "resolve", "speaks_http", "speaks_tls"]

_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}
_SOON = timedelta(days=14)
_LOOK = 3.0
"""Time limit of a look at what a port speaks, in seconds: it comes after a step that has failed already."""
_WORD = 80
"""Maximum length of a name in a certificate that is shown, in characters."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where TCP connects to.

    Attributes:
        host: A name or an address.
        port: The port.
        limit: Time limit of each step, in seconds; None means no limit.
    """

    host: str
    port: int
    limit: float | None

    @classmethod
    def of(cls, parts: SplitResult, limit: float | None) -> "Place":
        """Return the place that a checked URL names."""
        host = (parts.hostname or "").removesuffix(".")
        return cls(host, parts.port or _PORTS.get(parts.scheme, 0), limit)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was agreed in a TLS handshake.

    Attributes:
        found: The version, and whose certificate it is, in words.
        expires: When the certificate expires; None if it is unknown.
    """

    found: str
    expires: datetime | None

    @property
    def expires_soon(self) -> bool:
        """Whether it expires within two weeks."""
        return self.expires is not None and self.expires - datetime.now(UTC) < _SOON


@asynccontextmanager
async def _limited(place: Place, awaited: str, *, most: float = math.inf) -> AsyncIterator[None]:
    """Turn every failure of a step into a `ConnectionFailed`."""
    limit = min(most, math.inf if place.limit is None else place.limit)
    try:
        async with asyncio.timeout(None if limit == math.inf else limit):
            yield
    except TimeoutError as error:
        # The system's own time-out (ETIMEDOUT) is one too, and has words of its own.
        if error.errno is not None:
            raise network_failure(error) from error
        raise ConnectionFailed(f"{awaited} within {limit:g} s") from error
    except OSError as error:
        raise network_failure(error) from error


async def resolve(place: Place) -> list[str]:
    """Return the addresses of the host.

    Raises:
        ConnectionFailed: It is unknown.
    """
    async with _limited(place, "the name was not looked up"):
        return [address[0] for _, address in await find_addresses(place.host, place.port)]


async def connect(place: Place) -> str:
    """Open a TCP connection, close it again, and return the address that answered.

    Raises:
        ConnectionFailed: There is no connection.
    """
    async with _limited(place, f"nothing answered on port {place.port}"):
        with await open_socket(place.host, place.port) as opened:
            return _address_of(opened)


def _address_of(opened: socket.socket) -> str:
    address: str = opened.getpeername()[0]
    return address


async def handshake(place: Place, context: ssl.SSLContext) -> Certificate:
    """Do a TLS handshake, as a client with this context does it.

    Raises:
        ConnectionFailed: It failed.
    """
    async with _limited(place, "no TLS handshake"), _secured(place, context) as transport:
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        return _certificate(tls)


@asynccontextmanager
async def _secured(place: Place, context: ssl.SSLContext) -> AsyncIterator[asyncio.Transport]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(
        asyncio.Protocol, sock=await open_socket(place.host, place.port), ssl=context, server_hostname=place.host
    )
    try:
        yield transport
    finally:
        transport.abort()


def _certificate(tls: ssl.SSLObject) -> Certificate:
    checked: dict[str, Any] = tls.getpeercert() or {}
    names = [value for _, value in checked.get("subjectAltName", ())]
    issuer = {name: value for one in checked.get("issuer", ()) for name, value in one}
    by = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed issuer"
    words = f"{tls.version()}, a certificate of {shown(str(by), _WORD)} for {shown(', '.join(names), _WORD)}"
    if (until := checked.get("notAfter")) is None:
        return Certificate(words, None)
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC)
    return Certificate(f"{words}, valid until {expires:%Y-%m-%d}", expires)


async def speaks_tls(place: Place) -> bool:
    """Return whether the port answers a TLS handshake, with whatever certificate. Nothing else is sent."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with _limited(place, "no TLS", most=_LOOK), _secured(place, context):
            return True
    except ConnectionFailed:
        return False


async def speaks_http(place: Place) -> bool:
    """Return whether the port answers plain HTTP. Of the URL nothing but the host is sent."""
    head = ResponseHead()
    try:
        async with _limited(place, "no HTTP", most=_LOOK):
            reader, writer = await asyncio.open_connection(sock=await open_socket(place.host, place.port))
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % place.host.encode())
                while data := await reader.read(4096):
                    if head.feed(data):
                        break
            finally:
                writer.transport.abort()
    except ConnectionFailed:
        return False
    return head.status is not None or head.finish()
