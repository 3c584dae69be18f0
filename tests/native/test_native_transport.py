"""What only the native transport can tell: TLS and its faults, and that its library logs no frames."""

import datetime
import logging
import ssl
from collections.abc import AsyncGenerator

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve

from circle_ws.errors import ConnectionFailed, ConnectionLost
from circle_ws.transport import TransportOptions
from circle_ws.transport.native import connect
from circle_ws.transport.native_errors import retry_after_seconds
from tests.support.recorder import Recorder


@pytest.fixture
async def tls_url() -> AsyncGenerator[str]:
    """A wss:// server whose certificate is not trusted here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(silent, "127.0.0.1", 0, ssl=context) as server:
        yield f"wss://localhost:{next(iter(server.sockets)).getsockname()[1]}/"


async def test_an_untrusted_certificate_is_refused_in_words(tls_url: str) -> None:
    """TLS is checked by default."""
    with pytest.raises(ConnectionFailed, match="certificate"):
        await connect(tls_url, Recorder(), TransportOptions())


async def test_plain_text_to_a_tls_port_and_the_other_way_round(tls_url: str) -> None:
    """ws:// to a TLS port and wss:// to a plain one fail in words, each its own."""
    with pytest.raises(ConnectionFailed, match="HTTP"):
        await connect(tls_url.replace("wss:", "ws:"), Recorder(), TransportOptions())

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(silent, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(ConnectionFailed, match="does it speak"):
            await connect(f"wss://localhost:{port}/", Recorder(), TransportOptions())


def test_retry_after_is_seconds_or_a_date() -> None:
    """RFC 9110 section 10.2.3; what is neither is ignored."""
    assert retry_after_seconds("120") == 120
    assert retry_after_seconds(None) is None
    assert retry_after_seconds("soon") is None
    assert retry_after_seconds("-5") is None
    assert retry_after_seconds(f"Mon, 01 Jan 2024 00:00:00 +{'9' * 20}") is None
    assert retry_after_seconds("Fri, 31 Dec 1999 23:59:59 GMT") == 0
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    seconds = retry_after_seconds(later.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert seconds is not None
    assert 90 < seconds <= 100


def test_a_date_is_read_by_the_servers_own_clock() -> None:
    """What `Retry-After` means when the clock here is wrong: its distance from the header `Date`."""
    last = "Fri, 31 Dec 1999 23:59:59 GMT"
    assert retry_after_seconds(last, "Fri, 31 Dec 1999 23:58:00 GMT") == 119
    assert retry_after_seconds(last, "Sat, 01 Jan 2000 00:00:00 GMT") == 0
    assert retry_after_seconds(last, "no date") == 0
    assert retry_after_seconds(last, f"Fri, 31 Dec 1999 23:59:59 -{'9' * 20}") == 0
    assert retry_after_seconds("7", last) == 7
    assert retry_after_seconds("Fri, 31 Dec 1999 23:59:59 -0000", last) == 0


def test_the_librarys_frames_are_never_logged() -> None:
    """Whatever level the program logs at, `websockets` is not asked to print frames: signatures are in them."""
    logger = logging.getLogger("circle_ws.transport.websockets")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        assert not logger.isEnabledFor(logging.INFO)
        assert logger.isEnabledFor(logging.WARNING)
    finally:
        root.setLevel(level)


async def test_a_ping_that_is_not_awaited() -> None:
    """It is on its way at once; its future is done with the pong, or fails with `ConnectionLost`."""

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(silent, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        transport = await connect(f"ws://127.0.0.1:{port}/", Recorder(), TransportOptions())
        pong = transport.ping()
        assert not pong.done()
        await pong
        [peer] = server.connections
        peer.transport.pause_reading()
        unanswered = transport.ping()
        peer.transport.abort()
        with pytest.raises(ConnectionLost):
            await unanswered
        with pytest.raises(ConnectionLost):
            transport.ping()


async def test_an_open_connection_holds_nothing_of_its_handshake() -> None:
    """Headers take 2 KiB in each of thousands of idle clients, and may hold secrets."""

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(silent, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        options = TransportOptions(headers={"X-Token": "a secret"})
        transport = await connect(f"ws://127.0.0.1:{port}/", Recorder(), options)
        connection = transport._connection
        assert connection.request is None
        assert connection.response is not None
        assert not connection.response.headers
        await transport.close()


@pytest.mark.parametrize("foreign", [RuntimeError("odd"), ValueError("odd"), UnicodeError("odd")])
async def test_no_foreign_exception_gets_out_of_a_dial(monkeypatch: pytest.MonkeyPatch, foreign: Exception) -> None:
    """Whatever a library raises is a failed attempt, with that as its cause."""

    async def raise_it(host: str, port: int) -> None:
        raise foreign

    monkeypatch.setattr("circle_ws.transport.native.open_socket", raise_it)
    with pytest.raises(ConnectionFailed, match="the connection could not be made: odd") as caught:
        await connect("ws://127.0.0.1/", Recorder(), TransportOptions())
    assert caught.value.__cause__ is foreign
