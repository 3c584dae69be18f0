"""TLS with real certificates: who is trusted by default, a CA of one's own, the host name, redirects."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from circle_ws import (
    CircleWsClientBuilder,
    ConfigError,
    ConnectionFailed,
    ConnectionStatus,
    RedirectRefused,
    UnsupportedRuntime,
)
from circle_ws.auth import derive_public_key
from circle_ws.server import CircleServer
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import KEY, client
from tests.support.outcomes import eventually


def certified(authority: trustme.CA, *names: str, **options: object) -> ssl.SSLContext:
    """Return the context of a server with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(context)  # type: ignore[arg-type]
    return context


class Front:
    """Accept TLS connections and forward them to a circle, as a proxy in front of it does."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.handed_on = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.handed_on += 1
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def secure_circle(context: ssl.SSLContext) -> AsyncGenerator[tuple[CircleServer, Front, int]]:
    """Run a circle behind TLS; give it, what stands before it, and the port to dial."""
    circle = CircleServer(play=lambda script: script.upper())
    async with circle:
        front = Front(circle.port)
        server = await asyncio.start_server(front, "127.0.0.1", 0, ssl=context)
        try:
            yield circle, front, server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await circle.kill()
            await eventually(lambda: not circle.connections)


async def refused(url: str, **options: object) -> ConnectionFailed:
    """Return the error of connecting."""
    it = client(url, **options)  # type: ignore[arg-type]
    with pytest.raises(ConnectionFailed) as caught:
        await it.connect()
    assert it.status is ConnectionStatus.FAILED
    await it.close()
    return caught.value


async def test_a_ca_of_ones_own(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    """With its CA in the context a private circle is trusted: sign-in, call, and again after a reconnect."""
    async with secure_circle(certified(authority, "127.0.0.1")) as (circle, front, port):
        url = f"wss://127.0.0.1:{port}/"
        async with client(url, tls=trusting) as it:
            assert await it.whoami() == {"pubkey": derive_public_key(KEY, compressed=True)}
            for connection in circle.connections:
                connection.abort()
            await eventually(lambda: not it.is_connected())
            assert await it.play("loud") == "LOUD"
        assert front.handed_on == 2
        builder = CircleWsClientBuilder(url).with_keypair(KEY).with_tls(trusting)
        async with builder.build() as it:
            assert await it.play("built") == "BUILT"


async def test_a_signature_can_name_a_secure_circle(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    """Behind a proxy the circle's public URL is what is dialled, so the bound statement has wss:// and its port."""
    async with secure_circle(certified(authority, "127.0.0.1")) as (circle, front, port):
        url = f"wss://127.0.0.1:{port}/02ab"
        named = CircleServer(public_url=url)
        async with named:
            front.port = named.port
            async with client(url, tls=trusting, policy="require-bound") as it:
                assert await it.whoami() == {"pubkey": derive_public_key(KEY, compressed=True)}
        assert circle.connections == []


async def test_an_unknown_ca_is_refused(authority: trustme.CA) -> None:
    """By default a certificate that the system does not vouch for is refused, and nothing of ours is sent."""
    async with secure_circle(certified(authority, "127.0.0.1")) as (circle, front, port):
        failure = await refused(f"wss://127.0.0.1:{port}/")
        assert isinstance(failure.__cause__, ssl.SSLCertVerificationError)
        assert "certificate" in str(failure)
        assert failure.phase == "open"
        assert front.handed_on == 0
        assert circle.connections == []


@pytest.mark.parametrize("host", ["localhost.", "LOCALHOST."])
async def test_a_dot_at_the_end_of_the_host_is_no_part_of_its_name(
    authority: trustme.CA, trusting: ssl.SSLContext, host: str
) -> None:
    """The certificate is checked, and TLS asks for it, without the dot."""
    asked: list[str | None] = []
    context = certified(authority, "localhost")
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with secure_circle(context) as (_, _, port), client(f"wss://{host}:{port}/", tls=trusting) as it:
        assert await it.play("loud") == "LOUD"
    assert asked == ["localhost"]


async def test_another_ca_is_refused(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    """A CA of one's own vouches for what it signed, and for nothing else."""
    other = trustme.CA()
    async with secure_circle(certified(other, "127.0.0.1")) as (_, front, port):
        failure = await refused(f"wss://127.0.0.1:{port}/", tls=trusting)
        assert isinstance(failure.__cause__, ssl.SSLCertVerificationError)
        assert front.handed_on == 0


@pytest.mark.parametrize(("name", "dialled"), [("circle.example", "127.0.0.1"), ("127.0.0.1", "localhost")])
async def test_another_host_name_is_refused(
    authority: trustme.CA, trusting: ssl.SSLContext, name: str, dialled: str
) -> None:
    """A good certificate of another host is none for this one."""
    async with secure_circle(certified(authority, name)) as (_, front, port):
        failure = await refused(f"wss://{dialled}:{port}/", tls=trusting)
        assert isinstance(failure.__cause__, ssl.SSLCertVerificationError)
        assert front.handed_on == 0


async def test_no_tls_where_it_is_asked_for(trusting: ssl.SSLContext) -> None:
    """A circle without TLS is not spoken to at a wss:// URL."""
    async with CircleServer() as circle:
        failure = await refused(circle.url.replace("ws://", "wss://"), tls=trusting)
        assert failure.phase == "open"


@pytest.mark.parametrize("target", ["wss://127.0.0.1:{port}/else", "ws://127.0.0.1:{port}/", "https://circle.example/"])
async def test_a_redirect_is_refused(authority: trustme.CA, trusting: ssl.SSLContext, target: str) -> None:
    """A trusted server that sends the client elsewhere, to the same host or out of TLS, is not followed."""
    dialled: list[str] = []

    async def never(connection: ServerConnection) -> None:
        raise AssertionError("the client followed a redirect")

    def redirect(connection: ServerConnection, request: Request) -> Response | None:
        dialled.append(request.path)
        response = connection.respond(HTTPStatus.FOUND, "elsewhere\n")
        response.headers["Location"] = target.format(port=port)
        return response

    context = certified(authority, "127.0.0.1")
    async with serve(never, "127.0.0.1", 0, ssl=context, process_request=redirect) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        failure = await refused(f"wss://127.0.0.1:{port}/here", tls=trusting)
    assert isinstance(failure, RedirectRefused)
    assert failure.http_status == 302
    assert failure.location == target.format(port=port)
    assert failure.location in str(failure)
    assert dialled == ["/here"]


async def _silent(peer: MemoryPeer) -> None:
    """A server that serves no client."""


def test_where_a_context_is_of_no_use(trusting: ssl.SSLContext) -> None:
    """A context for ws://, or for a transport that takes none, is an error, as it would check nothing."""
    with pytest.raises(ConfigError, match="use wss://") as caught:
        CircleWsClientBuilder("ws://127.0.0.1/").with_tls(trusting).build()
    assert caught.value.option == "tls"
    with pytest.raises(UnsupportedRuntime):
        CircleWsClientBuilder("wss://127.0.0.1/").with_tls(trusting).with_transport(MemoryServer(_silent)).build()
    assert CircleWsClientBuilder("wss://127.0.0.1/").with_tls(trusting).build().status is ConnectionStatus.IDLE
