"""What a client counts, in both runtimes against real servers."""

import time

import pytest

from circle_ws import CallTimeout, ClientStats, ConnectionStatus, KeepAlive, MessageTooLarge, RpcError
from circle_ws.stats import Counters
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

NEW = ClientStats(
    connects=0,
    reconnects=0,
    calls=0,
    failures=0,
    notifications=0,
    dropped=0,
    ignored_replies=0,
    protocol_errors=0,
    bytes_in=0,
    bytes_out=0,
    latency_last=None,
    latency_smoothed=None,
    connected_since=None,
)


def test_a_new_client_has_done_nothing() -> None:
    """All numbers are zero before the first connect, and what is not known is None."""
    assert client("ws://localhost/").stats == NEW


def test_round_trips_are_smoothed() -> None:
    """The first sample is the average; each later one moves it by an eighth of the difference (RFC 6298)."""
    counters = Counters()
    for seconds in (0.1, 0.9, 0.2):
        counters.round_trip(seconds)
    stats = counters.snapshot(None)
    assert stats.latency_last == 0.2
    assert stats.latency_smoothed == pytest.approx(0.2 + (0.2 - 0.2) / 8)


async def test_connects_and_reconnects(peers: Peers) -> None:
    """Each time it becomes ready is a connect; only those that it made by itself are reconnects."""
    circle = await peers.start("circle")
    before = time.time()
    async with client(circle.url) as it:
        first = it.stats
        assert (first.connects, first.reconnects) == (1, 0)
        assert first.connected_since is not None
        assert before - 1 <= first.connected_since <= time.time() + 1
        await circle.ask("cut_all")
        await eventually(lambda: not it.is_connected())
        assert it.stats.connected_since is None
        await it.wait_until_connected()
        second = it.stats
        assert (second.connects, second.reconnects) == (2, 1)
        assert second.connected_since is not None
        assert second.connected_since >= first.connected_since
    assert it.stats.connected_since is None


async def test_a_connect_after_giving_up_is_no_reconnect(peers: Peers) -> None:
    """`connect()` after FAILED is the program's own."""
    circle = await peers.start("circle")
    it = client(circle.url, backoff=None)
    await it.connect()
    await circle.ask("cut_all")
    await eventually(lambda: it.status is ConnectionStatus.FAILED)
    await it.connect()
    assert (it.stats.connects, it.stats.reconnects) == (2, 0)
    await it.close()


async def test_calls_and_failures(peers: Peers) -> None:
    """A call that ends with an error is a failure, whatever the error; a cancelled one, and a notification, is none."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await it.call("echo", [1])
        await it.notify("echo", [1])
        with pytest.raises(RpcError):
            await it.call("no such method")
        with pytest.raises(CallTimeout):
            await it.call("hold", [1], timeout=0.01)
        held = later(it.call("hold", [2]))
        await until(circle, "runs", lambda runs: 2 in runs)
        held.cancel()
        await eventually(held.done)
        assert (it.stats.calls, it.stats.failures) == (4, 2)
        with pytest.raises(MessageTooLarge):
            await it.call("echo", ["x" * 100_000])
        assert (it.stats.calls, it.stats.failures) == (4, 2), "what cannot be sent is no call"


async def test_late_replies_are_ignored_and_counted(peers: Peers) -> None:
    """The reply to a call whose time was over is counted; a notification in between is not taken for one."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        with pytest.raises(CallTimeout):
            await it.call("hold", [1], timeout=0.01)
        assert it.stats.ignored_replies == 0
        await circle.ask("release")
        await eventually(lambda: it.stats.ignored_replies)
        assert (it.stats.ignored_replies, it.stats.protocol_errors) == (1, 0)


async def test_notifications_and_what_is_dropped(peers: Peers) -> None:
    """Each notification counts once, heard or not; each that a slow listener loses counts for that listener."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await it.call("tick", [10])
        assert (it.stats.notifications, it.stats.dropped) == (10, 0)
        async with it.notifications("tick") as one, it.notifications("tick") as other:
            await it.call("tick", [1030])
            assert one.dropped == other.dropped == 6
        assert (it.stats.notifications, it.stats.dropped) == (1040, 12)


async def test_bytes_are_those_of_the_messages(peers: Peers) -> None:
    """In and out, in bytes of UTF-8, over all connections."""
    peer = await peers.start("scripted", answers={"f": {"result": "höher"}})
    async with client(peer.url, key=None) as it:
        await it.call("f", ["für"])
        first = it.stats
        request = (await peer.ask("received"))[0]
        assert first.bytes_out == len(request.encode())
        # The reply is written with an escape for the letter.
        assert first.bytes_in == len('{"jsonrpc": "2.0", "id": 1, "result": "h\\u00f6her"}')
        await peer.ask("send", text='{"jsonrpc":"2.0","method":"n","params":["ä"]}')
        await eventually(lambda: it.stats.notifications)
        assert it.stats.bytes_in - first.bytes_in == len('{"jsonrpc":"2.0","method":"n","params":["ä"]}') + 1
        await peer.ask("cut")
        await eventually(lambda: not it.is_connected())
        await it.wait_until_connected()
        await it.call("f")
        assert it.stats.bytes_in > first.bytes_in + 60


async def test_keep_alive_samples_the_round_trip(peers: Peers) -> None:
    """Each answered ping or probe is a sample, an answer with an error too."""
    circle = await peers.start("circle")
    async with client(circle.url, keepalive=KeepAlive(interval=0.05, timeout=5, mode="rpc")) as it:
        await eventually(lambda: it.stats.latency_last is not None)
        assert it.stats.latency_last is not None
        assert 0 < it.stats.latency_last < 5
        assert it.stats.latency_smoothed is not None
    refusing = await peers.start("scripted", answers={"rpc.ping": {"error": {"code": -32601, "message": "what?"}}})
    async with client(refusing.url, key=None, keepalive=KeepAlive(interval=0.05, timeout=5, mode="rpc")) as it:
        await eventually(lambda: it.stats.latency_last is not None)


async def test_what_the_probes_cost_is_no_call_of_the_users(peers: Peers) -> None:
    """Signing in and probing are not the program's calls."""
    circle = await peers.start("circle")
    async with client(circle.url, keepalive=KeepAlive(interval=0.05, timeout=5, mode="rpc")) as it:
        await eventually(lambda: it.stats.latency_last is not None)
        assert (it.stats.calls, it.stats.failures) == (0, 0)
