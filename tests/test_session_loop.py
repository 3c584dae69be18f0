"""Finding out that a connection is dead, in both runtimes. The machine behind it is tested in test_liveness.py."""

import asyncio

from circle_ws import ConnectionLost, ConnectionStatus, KeepAlive
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

S = ConnectionStatus
PROBING = KeepAlive(interval=0.05, timeout=0.1, mode="rpc")


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


async def test_without_keepalive_silence_is_borne(peers: Peers) -> None:
    """`without_keepalive()`: no heartbeat is sent."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, keepalive=None) as it:
        await asyncio.sleep(0.2)
        assert it.is_connected()
    assert await peer.ask("received") == []
