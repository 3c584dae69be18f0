"""Proves how a port is looked at below the WebSocket: time limits, and whether it speaks HTTP or TLS."""

import asyncio
import errno
import socket

import pytest

from circle_ws.cli.doctor.network import Place, _limited, speaks_http, speaks_tls
from circle_ws.errors import ConnectionFailed
from tests.support.peers import Peers


async def test_the_systems_own_time_out_keeps_its_words() -> None:
    """It is not the limit of the step, which is longer."""
    with pytest.raises(ConnectionFailed, match="timed out") as caught:
        async with _limited(Place("circle.example", 443, 10.0), "nothing answered"):
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    assert "nothing answered" not in str(caught.value)
    with pytest.raises(ConnectionFailed, match="^nothing answered within 0.01 s$"):
        async with _limited(Place("circle.example", 443, 0.01), "nothing answered"):
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("HTTP/1.1 200 OK\r\n\r\n", True),
        (f"HTTP/1.1 200 OK\r\nX: {'x' * 10_000}\r\n\r\n", True),
        ("HTTP/1.1 200", True),
        ("HTTP/1.1 2", False),
        ("220 mail.example ESMTP\r\n", False),
    ],
    ids=["short", "in pieces", "broken off", "broken off early", "another protocol"],
)
async def test_what_answers_http(reply: str, expected: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply.encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await speaks_http(Place("127.0.0.1", port, 10.0)) is expected


async def test_a_port_that_is_closed_or_silent_speaks_nothing(peers: Peers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = Place("127.0.0.1", taken.getsockname()[1], 10.0)
    silent = Place("127.0.0.1", (await peers.start("tcp")).port, 0.1)
    for place in (closed, silent):
        assert not await speaks_http(place)
        assert not await speaks_tls(place)
