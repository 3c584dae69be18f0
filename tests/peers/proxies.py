"""The peers `http_proxy`, `socks_proxy` and `tls_entrance`: they stand between a client and a server on this machine.

Whatever host a proxy is asked for it connects to `target`, a port of this machine, so that names that do not exist can
be dialled. What a proxy was asked is kept.
"""

import asyncio
import base64
import ipaddress
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.peers import kind

_Read = asyncio.StreamReader
_Write = asyncio.StreamWriter


class _Between:
    """Accepts connections and, when `_negotiate` is done, hands them on.

    Args:
        target: The port, on this machine, that everything ends at.
        certificate: A file with a key and a certificate: TLS is spoken with clients.
    """

    scheme = ""

    def __init__(self, target: int = 0, certificate: str | None = None) -> None:
        self.url = ""
        self.accepted = 0
        self._target = target
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._server: asyncio.Server | None = None
        self._writers: set[_Write] = set()

    async def open(self, port: int) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self._context)
        taken: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{self.scheme}://127.0.0.1:{taken}"
        return taken

    async def close(self) -> None:
        assert self._server
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def kill(self) -> None:
        await self.close()

    def count(self) -> int:
        return self.accepted

    def hold(self) -> int:
        """How many connections there are now."""
        return len(self._writers)

    async def _negotiate(self, reader: _Read, writer: _Write) -> bool:
        """Speak with the client; tell whether it is to be handed on."""
        raise NotImplementedError

    async def _serve(self, reader: _Read, writer: _Write) -> None:
        self.accepted += 1
        self._writers.add(writer)
        try:
            if await self._negotiate(reader, writer):
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
                await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))
        except (OSError, EOFError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


async def _pipe(reader: _Read, writer: _Write) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@kind("tls_entrance")
class TlsEntrance(_Between):
    """Speaks TLS with clients and plain text with what is behind it."""

    scheme = "wss"

    async def _negotiate(self, reader: _Read, writer: _Write) -> bool:
        return True


class _Proxy(_Between):
    """A proxy, which may misbehave.

    Args:
        user: Accept only clients with this name and password, `name:password`.
        fault: `hang`: never answer. `hang_up`: close the connection. `garbage`: answer with what is none of its
            protocol. `cut`: connect, and close the connection then. A number: refuse with it.
        swallow: Never answer a client that asks for this host.
        **options: As `_Between` has them.
    """

    def __init__(
        self, user: str | None = None, fault: str | int | None = None, swallow: str = "", **options: Any
    ) -> None:
        super().__init__(**options)
        self._user = user
        self._fault = fault
        self._swallow = swallow
        self._asked: list[dict[str, Any]] = []

    def asked(self) -> list[dict[str, Any]]:
        """What clients asked it for, in order."""
        return self._asked

    def behave(self) -> None:
        """Remove the fault."""
        self._fault = None

    async def _negotiate(self, reader: _Read, writer: _Write) -> bool:
        if self._fault == "hang_up":
            return False
        if self._fault == "garbage":
            writer.write(b"220 mail.example ESMTP\r\n\r\n")
            return False
        answer = await self._take(reader, writer)
        if answer is None:
            return False
        if self._fault == "hang" or (self._swallow and self._asked[-1].get("host") == self._swallow):
            await reader.read()
            return False
        writer.write(answer(self._fault if type(self._fault) is int else None))
        await writer.drain()
        return self._fault is None

    async def _take(self, reader: _Read, writer: _Write) -> Callable[[int | None], bytes] | None:
        """Read a request; return the reply, a refusal or not, or None if it was answered already."""
        raise NotImplementedError


@kind("http_proxy")
class HttpProxy(_Proxy):
    """Makes tunnels by HTTP CONNECT (RFC 9110 section 9.3.6)."""

    @property
    def scheme(self) -> str:  # type: ignore[override]
        return "http" if self._context is None else "https"

    async def _take(self, reader: _Read, writer: _Write) -> Callable[[int | None], bytes] | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, place, _ = head[0].split(" ")
        headers = [line.split(": ", 1) for line in head[1:] if line]
        self._asked.append({"method": method, "place": place, "headers": headers})
        proof = dict(headers).get("Proxy-Authorization", "").removeprefix("Basic ")
        if self._user is not None and base64.b64decode(proof).decode() != self._user:
            writer.write(_http(407))
            return None
        return lambda refusal: _http(refusal or 200)


def _http(status: int) -> bytes:
    # A tunnel has no body; a refusal may tell when to come back.
    more = "" if status == 200 else "Content-Length: 0\r\nRetry-After: 7\r\nConnection: close\r\n"
    return f"HTTP/1.1 {status} As It Is\r\n{more}\r\n".encode()


@kind("socks_proxy")
class SocksProxy(_Proxy):
    """Speaks SOCKS 5 (RFC 1928, with passwords RFC 1929), 4 and 4a."""

    scheme = "socks5h"

    async def _take(self, reader: _Read, writer: _Write) -> Callable[[int | None], bytes] | None:
        version = (await reader.readexactly(1))[0]
        if version == 4:
            return await self._take_4(reader)
        return await self._take_5(reader, writer)

    async def _take_4(self, reader: _Read) -> Callable[[int | None], bytes]:
        _, *address = await reader.readexactly(7)
        user = (await reader.readuntil(b"\0"))[:-1].decode()
        host = str(ipaddress.ip_address(bytes(address[2:])))
        if host.startswith("0.0.0."):
            host = (await reader.readuntil(b"\0"))[:-1].decode()
        self._note(4, host, bytes(address[:2]), user or None)
        return lambda refusal: bytes([0, refusal or 90]) + bytes(6)

    async def _take_5(self, reader: _Read, writer: _Write) -> Callable[[int | None], bytes] | None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        user = None
        if self._user is not None:
            if 2 not in methods:
                writer.write(b"\x05\xff")
                return None
            writer.write(b"\x05\x02")
            await reader.readexactly(1)
            user = ":".join([await _counted(reader), await _counted(reader)])
            writer.write(b"\x01\x00" if user == self._user else b"\x01\x01")
            if user != self._user:
                return None
        else:
            writer.write(b"\x05\x00")
        await reader.readexactly(3)
        host = await self._host(reader)
        self._note(5, host, await reader.readexactly(2), user)
        return lambda refusal: bytes([5, refusal or 0, 0, 1]) + bytes(6)

    async def _host(self, reader: _Read) -> str:
        form = (await reader.readexactly(1))[0]
        if form == 3:
            return await _counted(reader)
        return str(ipaddress.ip_address(await reader.readexactly(4 if form == 1 else 16)))

    def _note(self, version: int, host: str, port: bytes, user: str | None) -> None:
        self._asked.append({"version": version, "host": host, "port": int.from_bytes(port, "big"), "user": user})


async def _counted(reader: _Read) -> str:
    return (await reader.readexactly((await reader.readexactly(1))[0])).decode()
