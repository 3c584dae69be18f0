"""Clients that do not read, or send too much: what they cost is bounded, and so is their end."""

import asyncio
import json
import logging
import time
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from circle_ws.errors import ConfigError
from circle_ws.server import CircleServer, Connection
from circle_ws.server.answering import MAX_RUNNING
from tests.native.by_hand import NOISE, ask, clog, native_socket, reluctant, request, send_all, signed_in, stranger
from tests.support.clients import OTHER_KEY
from tests.support.limits import PATIENCE
from tests.support.outcomes import eventually, later

PAUSED_AT = 32 * 1024
"""With so many bytes in its buffer a connection counts as not keeping up."""
NOISE_BYTES = len(NOISE[0]) + 1000
"""The most that one message of it takes."""


def backlog(connection: Connection) -> int:
    socket = native_socket(connection)
    return len(socket._held) + int(socket.transport.get_write_buffer_size())


async def read_to_the_end(client: ClientConnection) -> ConnectionClosed:
    """Read until the connection is closed; give how it was."""
    while True:
        try:
            await client.recv()
        except ConnectionClosed as error:
            return error


def code_of(error: ConnectionClosed) -> int | None:
    return None if error.rcvd is None else error.rcvd.code


async def test_who_does_not_read_what_is_pushed_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """The buffer stays within its limit; the client, once it reads, is told to come back later, which is logged."""
    async with CircleServer(max_backlog_bytes=100_000, close_timeout=10) as server, reluctant(server) as client:
        [connection] = server.connections
        most = pushed = 0
        while server.publish("noise", NOISE):
            most = max(most, backlog(connection))
            pushed += 1
            await asyncio.sleep(0)
        assert 100_000 < most <= PAUSED_AT + NOISE_BYTES + 100_000
        assert pushed < 100
        assert server.publish("noise", NOISE) == 0
        error = await read_to_the_end(client)
        assert code_of(error) == 1013
        assert "max_backlog_bytes" in str(error)
    assert "dropped: too slow" in caplog.text


async def test_who_does_not_even_read_the_good_bye_is_cut_off() -> None:
    """After `close_timeout` nothing of it is left."""
    async with CircleServer(max_backlog_bytes=1, close_timeout=0.1) as server, reluctant(server):
        await eventually(lambda: server.publish("noise", NOISE) == 0)
        assert server.connections
        await eventually(lambda: not server.connections)


async def test_one_slow_client_costs_the_others_nothing() -> None:
    """Who reads gets everything, and is counted; the slow one is dropped at some time."""
    server = CircleServer(max_backlog_bytes=50_000, close_timeout=0.1)
    async with server, reluctant(server), signed_in(server, OTHER_KEY) as reader:
        counts = []
        for number in range(100):
            counts.append(server.publish("noise", [number, *NOISE]))
            assert json.loads(await reader.recv())["params"][0] == number
        assert (counts[0], counts[-1]) == (2, 1)


async def test_a_message_over_the_limit_is_no_backlog() -> None:
    """A client that reads gets one large push, and large replies with pushes in between, far over the limit."""
    async with CircleServer(max_backlog_bytes=50_000) as server:
        large = "x" * 1_000_000

        @server.method()
        async def load(connection: Connection) -> str:
            connection.notify("progress")
            return large

        async with reluctant(server) as client:
            assert server.publish("large", [large]) == 1
            assert json.loads(await client.recv())["params"] == [large]
            for number in range(8):
                await client.send(json.dumps(request("load", None, number)))
            found = [json.loads(await client.recv()) for _ in range(16)]
            assert [one["id"] for one in found if "result" in one] == list(range(8))
            assert sum(one.get("method") == "progress" for one in found) == 8


async def test_a_client_is_dropped_once(caplog: pytest.LogCaptureFixture) -> None:
    """What else is wrong with it by then is neither told nor logged."""
    async with CircleServer() as server, stranger(server) as client:
        await eventually(lambda: server.connections)
        socket = native_socket(server.connections[0])
        socket.drop("the first reason")
        socket.drop("the second reason")
        assert "the first reason" in str(await read_to_the_end(client))
    assert caplog.text.count("a client is dropped") == 1


async def test_who_has_caught_up_starts_anew() -> None:
    """What was pushed and read counts no longer, however much it was."""
    async with CircleServer(max_backlog_bytes=50_000) as server, reluctant(server) as client:
        for _ in range(6):
            for params in (["x" * 1_000_000], NOISE, NOISE):
                assert server.publish("noise", params) == 1
            for _ in range(3):
                await client.recv()
        assert (await ask(client, "rpc.ping"))["result"] == "pong"


async def test_who_does_not_read_its_replies_is_not_read() -> None:
    """Replies wait until they can be written, requests until the replies are; nothing is lost."""
    async with CircleServer(max_backlog_bytes=1000) as server:
        ran = 0

        @server.method()
        def load() -> list[str]:
            nonlocal ran
            ran += 1
            return NOISE

        async with reluctant(server) as client:
            [connection] = server.connections
            for number in range(200):
                await client.send(json.dumps(request("load", None, number)))
            await eventually(lambda: native_socket(connection).paused)
            await asyncio.sleep(0.05)
            assert ran < 100
            assert backlog(connection) <= PAUSED_AT + NOISE_BYTES
            for number in range(200):
                assert json.loads(await client.recv())["id"] == number
            assert ran == 200


@pytest.mark.parametrize(
    "message", [json.dumps(request("whoami")), "no JSON" * 1000, json.dumps([1] * 4), json.dumps(request("rpc.ping"))]
)
async def test_a_stranger_that_asks_and_does_not_read_is_bounded(message: str) -> None:
    """Before the sign-in too what is answered waits in one small buffer, and what was asked is not read."""
    async with CircleServer(stall_timeout=600) as server, stranger(server) as client:
        [connection] = await eventually(lambda: server.connections)
        sent = 0
        while not (native_socket(connection).paused and client.transport.get_write_buffer_size()):
            client.protocol.send_text(message.encode())
            client.send_data()
            sent += len(message)
            await asyncio.sleep(0)
            assert sent < 50 << 20
        for _ in range(2000):
            client.protocol.send_text(message.encode())
            client.send_data()
        await asyncio.sleep(0.05)
        assert backlog(connection) <= PAUSED_AT + NOISE_BYTES
        assert len(native_socket(connection).recv_messages.frames) < 10_000


async def test_endless_fragments_are_no_message() -> None:
    """Empty ones too: after some thousand the connection is closed."""
    async with CircleServer() as server, connect(server.url) as client:
        client.transport.write(Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True))
        many = Frame(Opcode.CONT, b"", fin=False).serialize(mask=True) * 1000
        for _ in range(1000):
            client.transport.write(many)
            await asyncio.sleep(0)
            if client.transport.is_closing():
                break
        assert code_of(await read_to_the_end(client)) == 1009


async def test_a_room_full_of_replies_is_bounded() -> None:
    """Replies of async methods wait too, one after the other, and their methods count until they are written."""
    async with CircleServer(max_backlog_bytes=1000) as server:

        @server.method()
        async def load() -> list[str]:
            return NOISE

        async with reluctant(server) as client:
            [connection] = server.connections
            sending = later(send_all(client, [request("load", None, number) for number in range(500)]))
            await eventually(lambda: len(next(iter(server._sessions.values()))._tasks) > MAX_RUNNING)
            assert backlog(connection) <= PAUSED_AT + NOISE_BYTES
            ids = {json.loads(await client.recv())["id"] for _ in range(500)}
            assert ids == set(range(500))
            await sending


async def test_who_reads_nothing_for_long_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """A client that waits for nothing and reads nothing is found by `stall_timeout`, though nothing is pushed."""
    async with CircleServer(stall_timeout=0.1, close_timeout=0.1) as server, reluctant(server) as client:

        @server.method()
        def load() -> list[str]:
            return NOISE

        sending = later(send_all(client, [request("load", None, number) for number in range(50)]))
        await eventually(lambda: not server.connections)
        client.transport.abort()
        await sending
    assert "you read nothing for 0.1 s" in caplog.text


async def test_who_reads_slowly_is_not_dropped() -> None:
    """A client that takes a little from time to time may take several times `stall_timeout` for it all."""
    async with CircleServer(stall_timeout=1.0) as server, reluctant(server) as client:
        [connection] = server.connections
        for _ in range(60):
            server.publish("noise", NOISE)
        since = time.monotonic()
        for _ in range(60):
            assert json.loads(await client.recv())["method"] == "noise"
            await asyncio.sleep(0.08)
            if native_socket(connection).paused:
                paused_for = time.monotonic() - since
        assert paused_for > 3 * 1.0
        assert (await ask(client, "rpc.ping"))["result"] == "pong"


async def test_a_flood_of_pings_is_bounded() -> None:
    """Who sends pings and reads no pongs is left one pong, and is dropped like any other that reads nothing."""
    async with CircleServer(stall_timeout=0.3, close_timeout=0.1) as server, reluctant(server) as client:
        [connection] = server.connections
        client.transport.pause_reading()
        most = 0
        while server.connections and not client.transport.is_closing():
            for _ in range(100):
                client.protocol.send_ping(b"x" * 125)
            client.send_data()
            await asyncio.sleep(0)
            most = max(most, backlog(connection))
        assert most < PAUSED_AT + 256 * 1024


async def test_what_waits_is_in_one_piece_and_in_order() -> None:
    """Small pushes to one that does not read are no pieces of the transport's; once it reads, all come, and a pong."""
    async with CircleServer() as server, reluctant(server) as client:
        [connection] = server.connections
        await clog(connection)
        in_transport = native_socket(connection).transport.get_write_buffer_size()
        for number in range(20_000):
            server.publish("tick", [number])
        for number in range(3):
            pong = await client.ping(str(number))
        await asyncio.sleep(0.05)
        assert native_socket(connection).transport.get_write_buffer_size() <= in_transport
        assert len(native_socket(connection)._held) > 20_000
        numbers: list[int] = []
        while len(numbers) < 20_000:
            message = json.loads(await client.recv())
            if message["method"] == "tick":
                numbers.append(message["params"][0])
        assert numbers == list(range(20_000))
        await asyncio.wait_for(pong, PATIENCE)
        assert len(native_socket(connection)._held) == 0


async def test_a_long_batch_leaves_others_their_turn() -> None:
    """Between the members of a batch of plain methods another client is answered."""
    async with CircleServer() as server, signed_in(server) as flood, signed_in(server, OTHER_KEY) as other:
        ran = 0

        @server.method()
        def work() -> None:
            nonlocal ran
            ran += 1
            time.sleep(0.002)

        await flood.send(json.dumps([request("work", None, number) for number in range(1000)]))
        await eventually(lambda: ran)
        await ask(other, "rpc.ping")
        assert ran < 1000


async def test_closing_one_that_does_not_read_is_bounded() -> None:
    """`Connection.close` returns within `close_timeout`."""
    async with CircleServer(close_timeout=0.2) as server, reluctant(server):
        [connection] = server.connections
        await clog(connection)
        started = time.monotonic()
        await connection.close()
        assert time.monotonic() - started < 4


async def test_nothing_is_logged_of_clients_that_behave(caplog: pytest.LogCaptureFixture) -> None:
    """Connecting, asking and hanging up is no news."""
    caplog.set_level(logging.INFO, "circle_ws.server")
    async with CircleServer() as server:
        async with signed_in(server) as client:
            await ask(client, "whoami")
        await eventually(lambda: not server.connections)
    assert caplog.records == []


@pytest.mark.parametrize(("option", "value"), [("max_backlog_bytes", 0), ("stall_timeout", 0), ("stall_timeout", -1)])
def test_wrong_limits_are_refused(option: str, value: Any) -> None:
    """They are told by name before anything listens."""
    options: dict[str, Any] = {option: value}
    with pytest.raises(ConfigError, match=option) as caught:
        CircleServer(**options)
    assert caught.value.option == option
