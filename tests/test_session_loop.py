"""Finding out that a connection is dead, in both runtimes. The machine behind it is tested in test_liveness.py."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from circle_ws import ConnectionLost, ConnectionStatus, KeepAlive
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import client
from tests.support.limits import DIALLED
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

S = ConnectionStatus
PROBING = KeepAlive(interval=0.05, timeout=DIALLED, mode="rpc")


async def test_probes_keep_a_quiet_connection_alive(peers: Peers) -> None:
    """A circle that answers `rpc.ping`, with an error too, is alive."""
    peer = await peers.start("scripted", answers={"rpc.ping": {"error": {"code": -32601, "message": "what?"}}})
    async with client(peer.url, key=None, keepalive=PROBING) as it:
        changes = it.status_changes()
        await until(peer, "received", lambda texts: len(texts) >= 4)
        assert it.is_connected()
    assert [change.status async for change in changes] == [S.CONNECTED, S.CLOSING, S.CLOSED]


async def test_a_silent_connection_is_given_up_and_replaced(peers: Peers) -> None:
    """Nothing arrives after a probe: the connection is closed, the call in flight fails, and the client reconnects."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, keepalive=PROBING) as it:
        changes = it.status_changes()
        call = later(it.call("f"))
        loss = await call
        assert isinstance(loss, ConnectionLost)
        assert loss.local
        assert "nothing arrived" in str(loss)
        await it.wait_until_connected()
    story = [change async for change in changes]
    assert S.WAITING in [change.status for change in story]
    assert await peer.ask("count") >= 2


async def test_any_message_is_life(peers: Peers) -> None:
    """A circle that answers no probe but keeps talking is not given up."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}})
    # Longer than a busy machine may stand still between two calls.
    async with client(peer.url, key=None, keepalive=KeepAlive(interval=0.05, timeout=2, mode="rpc")) as it:
        for _ in range(50):
            await it.call("f")
            await asyncio.sleep(0.05)
    assert await peer.ask("count") == 1


class Mute(MemoryServer):
    """Connections whose peer never answers a ping, as published circles may not."""

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        transport = await super().__call__(url, receiver, options)
        transport.__class__ = _MuteTransport
        return transport


class _MuteTransport(MemoryTransport):
    __slots__ = ()

    async def ping(self) -> None:
        await asyncio.Event().wait()


async def test_auto_turns_to_probes_for_a_peer_that_answers_no_pings() -> None:
    """After one unanswered ping and one answered probe the peer is probed, also after a reconnect."""
    probes: list[str] = []

    async def answer(peer: MemoryPeer) -> None:
        async for text in peer:
            probes.append(text)
            peer.send('{"jsonrpc":"2.0","method":"anything"}')
            if len(probes) == 3:
                return

    server = Mute(answer)
    keepalive = KeepAlive(interval=0.05, timeout=0.1)
    async with client("ws://localhost/", key=None, transport=server, keepalive=keepalive) as it:
        await eventually(lambda: len(probes) >= 5)
        assert it.is_connected()
    assert len(server.peers) == 2
    assert all("rpc.ping" in text for text in probes)


class Pinging(MemoryServer):
    """Opens connections whose `ping` does what a test says."""

    def __init__(self, ping: Callable[[MemoryTransport], Awaitable[None]]) -> None:
        async def silent(peer: MemoryPeer) -> None:
            async for _ in peer:
                pass

        super().__init__(silent)
        self._ping = ping

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        opened = await super().__call__(url, receiver, options)
        ping = self._ping

        class Transport(MemoryTransport):
            async def close(self, code: int = 1000, reason: str = "") -> None:
                await opened.close(code, reason)

            def ping(self) -> Any:
                return ping(self)

        return Transport(receiver, options, opened.peer)


async def test_a_ping_over_a_connection_that_is_lost() -> None:
    """The transport says so when it is asked, and tells of the loss; the client reconnects."""

    def lost(transport: MemoryTransport) -> Awaitable[None]:
        transport.peer.close(1006)
        raise ConnectionLost.closed(1006)

    server = Pinging(lost)
    async with client("ws://localhost/", key=None, transport=server, keepalive=KeepAlive(0.02, 5)) as it:
        await eventually(lambda: it.stats.connects >= 2)


async def test_a_pong_that_is_awaited_by_an_object() -> None:
    """`ping` may return anything that can be awaited."""

    class Pong:
        def __init__(self, transport: MemoryTransport) -> None:
            self._transport = transport

        def __await__(self) -> Generator[Any, None, None]:
            self._transport.bytes_received += 1
            yield from asyncio.sleep(0).__await__()
            answered.append(1)

    answered: list[int] = []
    async with client("ws://localhost/", key=None, transport=Pinging(Pong), keepalive=KeepAlive(0.02, 5, "ping")) as it:
        await eventually(lambda: len(answered) >= 2)
        assert it.stats.connects == 1


async def test_without_keepalive_silence_is_borne(peers: Peers) -> None:
    """`without_keepalive()`: no heartbeat is sent."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, keepalive=None) as it:
        await asyncio.sleep(0.2)
        assert it.is_connected()
    assert await peer.ask("received") == []
