"""permessage-deflate (RFC 7692) with a real server: what is on the wire, and that what is inflated is bounded."""

import random
import tracemalloc
from typing import Any

import pytest

from circle_ws import CircleWsClientBuilder, ConnectionStatus, MessageTooLarge, OutcomeUnknown
from circle_ws.transport import TransportOptions, connect
from tests.support.clients import client
from tests.support.outcomes import later, until
from tests.support.peers import Peers, RemotePeer
from tests.support.recorder import Recorder

LIMIT = 100_000
SIZE = 50_000

VARIANTS: list[dict[str, Any]] = [
    {},
    {"server_no_context_takeover": True},
    {"client_no_context_takeover": True},
    {"server_no_context_takeover": True, "client_no_context_takeover": True},
    {"server_max_window_bits": 9, "client_max_window_bits": 9},
]


async def extensions(peer: RemotePeer) -> list[str]:
    """What came in the header `Sec-WebSocket-Extensions` of each handshake."""
    requests = await peer.ask("requests")
    return [value for request in requests for name, value in request if name == "Sec-WebSocket-Extensions"]


def options(**more: Any) -> TransportOptions:
    return TransportOptions(**{"compression": True, "max_message_bytes": LIMIT, "close_timeout": 2.0, **more})


async def test_it_is_off_by_default(peers: Peers) -> None:
    """Nothing is offered, and a server that could compress sends what it sends as it is."""
    peer = await peers.start("opening", deflate={})
    async with client(peer.url, key=None) as it:
        assert await it.call("echo", ["x" * SIZE]) == "x" * SIZE
        assert await peer.ask("bytes_received") > SIZE
        assert it._supervisor._session is not None
        assert it._supervisor._session.transport.bytes_received > SIZE
    assert await extensions(peer) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: " ".join(variant) or "plain")
async def test_both_directions_are_compressed(peers: Peers, variant: dict[str, Any]) -> None:
    """A client's calls and a circle's replies are a fraction of their size on the wire, message after message."""
    peer = await peers.start("opening", deflate=variant)
    # No line is like another, so that a message has no help from those before it but what both share.
    texts = ["".join(f"{random.Random(number).random()} is a number. " for _ in range(1000)) for number in range(5)]
    size = sum(map(len, texts))
    async with CircleWsClientBuilder(peer.url).with_compression().build() as it:
        for text in texts:
            assert await it.call("echo", [text]) == text
        sent = await peer.ask("bytes_received")
        assert it._supervisor._session is not None
        received = it._supervisor._session.transport.bytes_received
    assert len(await extensions(peer)) == 1
    assert 0 < sent < size / 10
    assert 0 < received < size / 10


async def test_a_server_may_decline(peers: Peers) -> None:
    """A server that does not compress is spoken with as it is."""
    peer = await peers.start("opening")
    async with client(peer.url, key=None, compression=True) as it:
        assert await it.call("echo", ["x" * SIZE]) == "x" * SIZE
        assert await peer.ask("bytes_received") > SIZE
    assert len(await extensions(peer)) == 1


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: " ".join(variant) or "plain")
async def test_fragments_are_inflated(peers: Peers, variant: dict[str, Any]) -> None:
    """A compressed message in fragments arrives whole, and so does the one after it."""
    peer = await peers.start("opening", deflate=variant)
    recorder = Recorder()
    transport = await connect(peer.url, recorder, options())
    fragments = [f"part {number} of é☃𝄞, " for number in range(40)]
    for _ in range(2):
        await peer.ask("send_fragments", fragments=fragments)
    transport.send("after them")
    await recorder.until(lambda it: len(it.messages) == 3)
    assert recorder.messages == ["".join(fragments)] * 2 + ["after them"]
    await transport.close()


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("fragment", [0, 7])
async def test_the_limit_counts_what_is_inflated(peers: Peers, over: int, fragment: int) -> None:
    """A message of the limit is delivered; one byte more is told as too large and ends the connection, with 1009."""
    peer = await peers.start("opening", deflate={})
    recorder = Recorder()
    transport = await connect(peer.url, recorder, options())
    assert await peer.ask("send_bomb", size=LIMIT + over, fragment=fragment) < LIMIT / 100
    await recorder.until(lambda it: bool(it.messages or it.losses))
    if not over:
        assert recorder.messages == ["x" * LIMIT]
        assert not recorder.invalids
    else:
        await refused(peer, recorder)
    await transport.close()


async def refused(peer: RemotePeer, recorder: Recorder) -> None:
    """Make sure that a message was refused for its size."""
    (cause,), (loss,) = recorder.invalids, recorder.losses
    assert isinstance(cause, MessageTooLarge)
    assert cause.limit == LIMIT
    assert (loss.code, loss.local) == (1009, True)
    assert recorder.messages == []
    assert await until(peer, "ended") == [1009]


@pytest.mark.parametrize("over", [1, 30])
async def test_nothing_is_held_back_for_the_end(peers: Peers, over: int) -> None:
    """What an inflater holds back at the limit, and gives with the last, empty fragment, counts too."""
    peer = await peers.start("opening", deflate={})
    recorder = Recorder()
    transport = await connect(peer.url, recorder, options())
    await peer.ask("send_over_the_edge", size=LIMIT, over=over)
    await recorder.until(lambda it: bool(it.messages or it.losses))
    await refused(peer, recorder)
    await transport.close()


@pytest.mark.parametrize("fragment", [0, 1000])
async def test_a_bomb_is_not_inflated(peers: Peers, fragment: int) -> None:
    """300 MB in 300 KB: the call in flight fails, memory stays near the limit, and the client reconnects."""
    peer = await peers.start("opening", deflate={})
    limit = 2_000_000
    it = client(peer.url, key=None, compression=True, max_message_bytes=limit)
    causes: list[Any] = []
    it.on_status(lambda change: causes.append(change.cause))
    async with it:
        assert await it.call("echo", ["before"]) == "before"
        waiting = later(it.call("wait", []))
        await until(peer, "waiting")
        size = await peer.ask("prepare_bomb", size=300_000_000)
        assert size < limit
        tracemalloc.start()
        await peer.ask("send_bomb", size=300_000_000, fragment=fragment)
        failed = await waiting
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # What it answers cannot be read without inflating it.
        assert isinstance(failed, OutcomeUnknown)
        assert isinstance(failed.__cause__, MessageTooLarge)
        assert peak < 5 * limit
        assert await it.call("echo", ["after"]) == "after"
        assert it.status is ConnectionStatus.CONNECTED
    assert [cause.code for cause in causes if cause is not None] == [1009]
    assert (await peer.ask("ended"))[0] == 1009
