"""An event loop that starts tasks eagerly (Python 3.12 and later): their first step runs where they are made."""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from circle_ws import SetupSession
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import CAPABILITIES, MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import client
from tests.support.limits import PATIENCE
from tests.support.outcomes import eventually
from tests.support.peers import Peers

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 has no eager tasks")


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    """Every task that a test's loop starts is eager; the loop is that of the session."""
    from circle_ws.testing.loop import get_loop

    loop = get_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    yield
    loop.set_task_factory(None)


class Full(MemoryTransport):
    """Says that it is congested, and has room again as soon as it is asked."""

    @property
    def buffered(self) -> int:
        return 10**9

    async def drain(self) -> None:
        """Need not wait."""


class Dialler:
    """Opens such transports."""

    capabilities = CAPABILITIES

    def __init__(self, kind: type[MemoryTransport]) -> None:
        self._kind = kind

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        peer = MemoryPeer(url)
        transport = self._kind(receiver, options, peer)
        peer.attach(transport)
        self._task = asyncio.ensure_future(_answer(peer))
        return transport


async def _answer(peer: MemoryPeer) -> None:
    async for text in peer:
        request = json.loads(text)
        if "id" in request:
            peer.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": request.get("params")}))


async def test_a_drain_that_need_not_wait_keeps_nothing_from_going_out() -> None:
    """Every call is answered, one after the other and many at once."""
    async with client("ws://localhost/", key=None, transport=Dialler(Full)) as it:
        for number in range(3):
            assert await asyncio.wait_for(it.call("f", [number]), PATIENCE) == [number]
        results = await asyncio.wait_for(asyncio.gather(*(it.call("f", [number]) for number in range(100))), PATIENCE)
        assert results == [[number] for number in range(100)]


class Faulty(Full):
    """Cannot tell when there is room again."""

    async def drain(self) -> None:
        raise OSError("a fault of the transport's")


async def test_a_drain_that_raises_keeps_nothing_from_going_out(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and calls go out."""
    async with client("ws://localhost/", key=None, transport=Dialler(Faulty)) as it:
        for number in range(3):
            assert await asyncio.wait_for(it.call("f", [number]), PATIENCE) == [number]
    assert "waiting until the transport can write failed: OSError" in caplog.text


async def test_no_function_of_the_users_runs_on_the_reader() -> None:
    """A handler, and an async callback, has a turn of its own."""
    stack: list[bool] = []
    reading = False

    class Reader(MemoryTransport):
        def take(self, message: str | bytes) -> None:
            nonlocal reading
            reading = True
            super().take(message)
            reading = False

    async def handler() -> int:
        stack.append(reading)
        return 1

    dialler = Dialler(Reader)
    it = client("ws://localhost/", key=None, transport=dialler)
    it.handle("ask", handler)
    async with it:
        session = it._supervisor._session
        assert session is not None
        transport: Any = session.transport
        transport.peer.send('{"jsonrpc":"2.0","id":"x","method":"ask"}')
        await eventually(lambda: stack)
    assert stack == [False]


async def test_a_whole_life(peers: Peers) -> None:
    """Sign-in, setup, calls, a batch, handlers, reconnect, close."""
    circle = await peers.start("circle")
    seen: list[str] = []

    async def setup(session: SetupSession) -> None:
        seen.append(await session.call("echo", ["setup"]))

    async def note(change: Any) -> None:
        seen.append(change.status.value)

    it = client(circle.url, setup=setup)
    it.on_status(note)
    it.handle("f", lambda: 1)
    it.start()
    assert await it.call("echo", [1]) == 1
    async with it.batch() as batch:
        one = batch.call("echo", [2])
    assert await one == 2
    assert await circle.ask("ask_client", method="f") == {"result": 1}
    await circle.ask("cut_all")
    await eventually(lambda: it.stats.connects == 2)
    it.reconnect()
    await eventually(lambda: it.stats.connects == 3)
    assert await it.call("echo", [3]) == 3
    await it.close()
    assert seen.count("setup") == 3
    assert seen[-1] == "closed"


async def test_a_memory_server_serves(caplog: pytest.LogCaptureFixture) -> None:
    """The transport for tests, too."""
    async with client("ws://localhost/", key=None, transport=MemoryServer(_answer)) as it:
        assert await it.call("f", [1]) == [1]
