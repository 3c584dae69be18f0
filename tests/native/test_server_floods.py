"""Clients that send too much or nothing, or go in the middle: they cost little, and a circle stops in time."""

import asyncio
import contextlib
import json
import socket
import struct
import time

import pytest

from circle_ws.errors import ConnectionLost
from circle_ws.server import CircleServer
from circle_ws.server.answering import MAX_RUNNING
from tests.native.by_hand import NOISE, ask, clog, native_socket, reluctant, request, send_all, signed_in
from tests.support.clients import OTHER_KEY
from tests.support.outcomes import eventually, later


async def test_a_flood_of_requests_is_bounded() -> None:
    """So many methods run and no more; then nothing is read, and what was sent is run later."""
    async with CircleServer() as server:
        running = 0
        go = asyncio.Event()

        @server.method()
        async def hold() -> None:
            nonlocal running
            running += 1
            await go.wait()

        async with signed_in(server) as client:
            [connection] = server.connections
            await send_all(client, [request("hold", None, number) for number in range(MAX_RUNNING + 100)])
            await eventually(lambda: running > MAX_RUNNING and native_socket(connection).recv_messages.paused)
            await asyncio.sleep(0.05)
            assert running == MAX_RUNNING + 1
            go.set()
            ids = {json.loads(await client.recv())["id"] for _ in range(MAX_RUNNING + 100)}
            assert ids == set(range(MAX_RUNNING + 100))


async def test_pings_are_answered_in_a_full_room() -> None:
    """With as many methods running as may, `rpc.ping` is answered: a keep-alive does not fail for it."""
    async with CircleServer() as server:

        @server.method()
        async def hold() -> None:
            await asyncio.Event().wait()

        async with signed_in(server) as client:
            await send_all(client, [request("hold", None, number) for number in range(MAX_RUNNING)])
            assert (await ask(client, "rpc.ping"))["result"] == "pong"


async def test_stopping_waits_for_no_client() -> None:
    """Neither who does not read nor who fills the room and hangs up keeps a circle from stopping in time."""
    server = CircleServer(close_timeout=0.2)
    begun = ended = 0

    @server.method()
    async def hold() -> None:
        nonlocal begun, ended
        begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1

    await server.start()
    async with reluctant(server) as deaf, signed_in(server, OTHER_KEY) as flood:
        await clog(server.connections[0])
        await send_all(flood, [request("hold", None, number) for number in range(3 * MAX_RUNNING)])
        await eventually(lambda: begun > MAX_RUNNING and native_socket(server.connections[1]).recv_messages.paused)
        flood.transport.abort()
        started = time.monotonic()
        await server.stop()
        assert time.monotonic() - started < 4
        assert server.connections == []
        assert begun == ended == MAX_RUNNING + 1
        deaf.transport.abort()


async def test_stopping_waits_for_no_handshake() -> None:
    """A socket on which nothing is said is cut off, though it had more time to shake hands."""
    server = CircleServer()
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await eventually(lambda: server._sockets)
    started = time.monotonic()
    await server.stop()
    assert time.monotonic() - started < 4
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()


async def test_a_reset_while_replies_wait_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """A client that goes with replies and calls waiting for it to read ends them, and nothing is logged."""
    async with CircleServer() as server:

        @server.method()
        def load() -> list[str]:
            return NOISE

        async with reluctant(server) as client:
            [connection] = server.connections
            await clog(connection)
            call = later(connection.call("question"))
            await send_all(client, [request("load", None, number) for number in range(3)])
            await asyncio.sleep(0.05)
            plain = client.transport.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.transport.abort()
            assert type(await call) is ConnectionLost
            await eventually(lambda: not server.connections)
    assert caplog.records == []
