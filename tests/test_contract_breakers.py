"""Parts of the user's that break their contract: the client fails with an error that says so, and no call hangs."""

import asyncio
import json

import pytest

from circle_ws import ConnectionLost, ConnectionStatus, OutcomeUnknown
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import CAPABILITIES, MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import client
from tests.support.outcomes import eventually, later


class Broken:
    """Opens the first connection, and raises what it should not afterwards."""

    capabilities = CAPABILITIES

    def __init__(self, server: MemoryServer, opened: int) -> None:
        self._server = server
        self._left = opened

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        self._left -= 1
        await asyncio.sleep(0.01)
        if self._left < 0:
            raise RuntimeError("a fault of the transport's")
        return await self._server(url, receiver, options)


async def _serve(peer: MemoryPeer) -> None:
    await peer.receive()


async def test_a_transport_that_raises_something_foreign_ends_the_first_connect() -> None:
    """`connect()` raises it, the client is FAILED with it, and a call that waited learns."""
    it = client("ws://localhost/", key=None, transport=Broken(MemoryServer(_serve), 0), first_connect="retry")
    connecting = later(it.connect())
    await asyncio.sleep(0)
    waiting = later(it.call("f"))
    failure = await connecting
    assert isinstance(failure, RuntimeError)
    assert it.failure is failure
    assert await waiting is failure
    assert it.status is ConnectionStatus.FAILED
    await it.close()


async def test_a_transport_that_raises_something_foreign_ends_a_reconnect() -> None:
    """The same on a reconnect: no call waits for a client that has ended."""
    it = client("ws://localhost/", key=None, transport=Broken(MemoryServer(_serve), 1))
    await it.connect()
    await later(it.call("f"))
    waiting = later(it.call("f"))
    assert isinstance(await waiting, RuntimeError)
    await eventually(lambda: it.status is ConnectionStatus.FAILED)
    await it.close()


async def test_a_memory_server_that_raises_is_logged_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    """A fault in a user's own test server is told, and the client sees a closed connection."""

    async def faulty(peer: MemoryPeer) -> None:
        await peer.receive()
        raise RuntimeError("a fault of the server's")

    server = MemoryServer(faulty)
    async with client("ws://localhost/", key=None, transport=server) as it:
        await later(it.call("f"))
        await it.wait_until_connected()
        assert len(server.peers) == 2
    assert "memory transport raised" in caplog.text


async def test_a_request_before_the_connection_is_open_is_not_answered() -> None:
    """A server's request that comes with the handshake cannot be answered; no call fails for it."""

    class Eager(MemoryServer):
        async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
            receiver.message('{"jsonrpc":"2.0","id":1,"method":"early"}')
            return await super().__call__(url, receiver, options)

    async def answer(peer: MemoryPeer) -> None:
        received.append(await peer.receive())
        peer.send('{"jsonrpc":"2.0","id":1,"result":"well"}')
        await peer.receive()

    received: list[str] = []
    async with client("ws://localhost/", key=None, transport=Eager(answer)) as it:
        assert await it.call("f") == "well"
    assert len(received) == 1


class Telling:
    """Opens connections whose first one tells of its loss in the middle of a `send`, and raises it then."""

    capabilities = CAPABILITIES

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        first = not self._server.peers
        transport = await self._server(url, receiver, options)
        return _Telling(receiver, options, transport.peer) if first else transport


class _Telling(MemoryTransport):
    def send(self, text: str) -> None:
        self.end(ConnectionLost.closed(1006))
        super().send(text)


async def _answer(peer: MemoryPeer) -> None:
    async for text in peer:
        message = json.loads(text)
        for one in message if type(message) is list else [message]:
            peer.send(json.dumps({"jsonrpc": "2.0", "id": one["id"], "result": "fine"}))


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("together", [False, True], ids=["single", "batch"])
async def test_a_transport_that_tells_of_its_loss_and_raises_it(together: bool, idempotent: bool) -> None:
    """The call fails as at every loss, or is written once on the next connection; the queue and the slots are free."""
    it = client("ws://localhost/", key=None, transport=Telling(MemoryServer(_answer)), max_queued=1)
    async with it:
        if together:
            async with it.batch() as batch:
                call = batch.call("f", idempotent=idempotent)
            outcome = await later(call)
        else:
            outcome = await later(it.call("f", idempotent=idempotent))
        assert outcome == "fine" if idempotent else type(outcome) is OutcomeUnknown
        send_queue = it._supervisor.send_queue
        assert (send_queue._queue.count, send_queue._queue.size) == (0, 0)
        assert await it.call("f") == "fine"
        assert send_queue.drained() is None
