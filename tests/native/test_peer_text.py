"""Text that comes in with the opening handshake: never raw in an error."""

import asyncio
import logging

import pytest

from circle_ws import CircleWsError
from tests.support.clients import client

NASTY = "x\x9b31m\xadevil" + "y" * 5_000


@pytest.mark.parametrize(
    "head",
    [
        f"HTTP/1.1 503 \x1b[2J{NASTY}\r\n",
        f"HTTP/1.1 404 {NASTY}\r\nX-Header: {NASTY}\r\n",
        f"HTTP/1.1 302 Found\r\nLocation: {NASTY}\r\n",
        f"HTTP/1.1 101 Switching\r\nUpgrade: {NASTY}\r\nConnection: Upgrade\r\n",
        f"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: {NASTY}\r\n",
        f"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {NASTY}\r\n",
        f"{NASTY}\r\n",
        f"HTTP/1.1 2\x1b[2J {NASTY}\r\n",
    ],
    ids=range(8),
)
async def test_an_answer_that_is_no_websocket(head: str, caplog: pytest.LogCaptureFixture) -> None:
    """Reason phrases and headers stand in errors and logs on one line, without control characters, and cut."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode("latin-1") + b"Content-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    it = client(f"ws://127.0.0.1:{port}/", key=None, backoff=None)
    with caplog.at_level(logging.DEBUG), pytest.raises(CircleWsError) as caught:
        await it.connect()
    await it.close()
    server.close()
    for text in (str(caught.value), repr(caught.value), *(record.getMessage() for record in caplog.records)):
        assert text.isprintable(), ascii(text)
        assert len(text) < 1_500
