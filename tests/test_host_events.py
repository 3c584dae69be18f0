"""A program that learns that it may have slept, or that the network is back, looks after its connection at once."""

import asyncio

import pytest

from circle_ws import Backoff, ConnectionStatus, KeepAlive, StatusChange, StatusChanges
from circle_ws.transport import host_events
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

S = ConnectionStatus
SLOW = Backoff(first=600, base=600, maximum=600, floor=600)
RARELY = KeepAlive(interval=600, timeout=600)


async def test_a_standing_connection_is_probed_at_once(peers: Peers) -> None:
    """The peer is probed long before the interval is over; it answers, and the connection stays."""
    peer = await peers.start("scripted", answers={"rpc.ping": {"result": "pong"}})
    async with client(peer.url, key=None, keepalive=RARELY) as it:
        host_events.wake()
        await until(peer, "received")
        await eventually(lambda: it.stats.latency_last is not None)
        assert it.is_connected()
    assert await peer.ask("count") == 1


@pytest.mark.limit(120)
async def test_a_dead_connection_is_found_soon_and_replaced_without_a_delay(peers: Peers) -> None:
    """Nothing comes in for 3 s after the probe: the connection is given up, and dialled anew with no back-off, once."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, keepalive=RARELY, backoff=SLOW) as it:
        changes = it.status_changes()
        host_events.wake()
        # Waited for and not polled: a page that is kept busy by polling has no time for its timers.
        assert (await _next_wait(changes)).retry_in == 0
        await it.wait_until_connected()
        await peer.ask("cut")
        assert (await _next_wait(changes)).retry_in == 600


async def _next_wait(changes: StatusChanges) -> StatusChange:
    async for change in changes:
        if change.status is S.WAITING:
            return change
    raise AssertionError("it never waited")


async def test_the_pending_delay_is_skipped(peers: Peers) -> None:
    """In the middle of a long back-off: the next attempt is made at once."""
    circle = await peers.start("circle")
    async with client(circle.url, backoff=SLOW) as it:
        await circle.ask("cut_all")
        await eventually(lambda: it.status is S.WAITING)
        host_events.wake()
        host_events.wake()
        await it.wait_until_connected()


async def test_what_the_server_asked_for_is_waited_for(peers: Peers) -> None:
    """A server that said "try again later" (1013) is not dialled before that; only `reconnect()` does."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await circle.ask("drop_all", code=1013)
        await eventually(lambda: it.status is S.WAITING)
        host_events.wake()
        with pytest.raises(TimeoutError):
            await it.wait_until_connected(0.3)
        it.reconnect()
        await it.wait_until_connected()


async def test_a_client_without_keepalive_is_not_probed(peers: Peers) -> None:
    """`without_keepalive()`: no probe is sent."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}})
    async with client(peer.url, key=None, keepalive=None) as it:
        host_events.wake()
        await it.call("f")
    assert len(await peer.ask("received")) == 1


async def test_no_event_is_watched_when_all_clients_are_closed(peers: Peers) -> None:
    """A client watches while it runs, and not after `close()` or when it gave up."""
    circle = await peers.start("circle")
    assert len(host_events._watchers) == 0
    async with client(circle.url):
        assert len(host_events._watchers) == 1
    assert len(host_events._watchers) == 0
    async with client(circle.url, backoff=None) as it:
        await circle.ask("cut_all")
        await eventually(lambda: it.status is S.FAILED)
        await asyncio.sleep(0)
        assert len(host_events._watchers) == 0


async def test_a_renewal_of_the_sign_in_is_not_disturbed(peers: Peers) -> None:
    """Learning of a sleep while the sign-in is renewed leaves the renewal alone."""
    circle = await peers.start("circle")
    async with client(circle.url, keepalive=RARELY) as it:
        await circle.ask("forget_sign_ins")
        call = later(it.call("echo", ["again"]))
        for _ in range(20):
            host_events.wake()
            await asyncio.sleep(0)
        assert await call == "again"
        assert it.stats.connects == 1
