"""Rows 29 to 32 and 34: too many clients, attempts, notifications, bytes and calls."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from circle_ws import (
    Backoff,
    CallTimeout,
    CircleWsClient,
    ConnectionFailed,
    ConnectionLost,
    ConnectionStatus,
    OutcomeUnknown,
    QueueFull,
)
from circle_ws.config import FirstConnect
from circle_ws.engine import reconnect
from circle_ws.engine.listener import Overflow
from circle_ws.policy.reconnect import ReconnectPolicy
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport
from tests.faults.stage import IN_BROWSER, NONCE, Story, timed
from tests.support.clients import KEY, client
from tests.support.limits import SOON
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

S = ConnectionStatus
LARGE = "x" * 1_000_000


def test_row_29_a_thousand_clients_come_back_one_after_the_other() -> None:
    """Row 29, thundering herd: 15 % of the first dials of 1,000 clients at most are in any 100 ms."""
    lost = ConnectionLost.closed(1006)
    delays = []
    for _ in range(1000):
        recovery = ReconnectPolicy(Backoff(), None, persistent=False, rng=random.Random())
        recovery.lost(0.0, answered=False, useful=False)
        delay = recovery.plan(lost, "serve", 0, 0.0)
        assert delay is not None
        delays.append(delay)
    for offset in range(10):
        windows = Counter(int((delay * 1000 + 10 * offset) // 100) for delay in delays)
        assert max(windows.values()) <= 150


class Highest(random.Random):
    """Draw the upper bound, so that a delay tells its bound."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.mark.parametrize("key", [KEY, None], ids=["signed in", "anonymous"])
async def test_row_30_accept_then_close_is_no_hot_loop(
    peers: Peers, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    """Row 30, accept-then-close: the bounds of the delays keep doubling, and a mere sign-in does not reset them."""
    monkeypatch.setattr(reconnect, "_RANDOM", Highest())
    answers = {"fetch_nonce": NONCE, "authenticate": {"result": True}, "f": {"close": 1001}}
    peer = await peers.start("scripted", answers=answers)
    backoff = Backoff(first=0.01, base=0.01, maximum=0.07, floor=0.0)
    async with client(peer.url, key, backoff=backoff) as it:
        story = Story(it)
        delays = []
        for _ in range(4):
            assert isinstance(await later(it.call("f")), OutcomeUnknown)
            delays.append((await story.until(S.WAITING)).retry_in)
    assert delays == [0.01, 0.02, 0.04, 0.07]


class Fickle(MemoryServer):
    """Closes each connection in the very turn in which it is opened, or when it is told to."""

    at_once = True

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        self.connection = await super().__call__(url, receiver, options)
        if self.at_once:
            self.end()
        return self.connection

    def end(self) -> None:
        self.connection.end(ConnectionLost.closed(1013))


async def _listen(peer: MemoryPeer) -> None:
    async for _ in peer:
        pytest.fail("nothing is sent on a connection that is down")


@pytest.mark.parametrize("first_connect", ["once", "retry"])
async def test_row_30_closed_in_the_turn_of_the_opening(first_connect: FirstConnect) -> None:
    """Row 30, accept-then-close: who is closed at once was never connected; the attempt failed, as its code says."""
    server = Fickle(_listen)
    it = client("ws://localhost/", key=None, transport=server, first_connect=first_connect)
    story = Story(it)
    connecting = later(it.connect())
    if first_connect == "once":
        failure = await connecting
        assert isinstance(failure, ConnectionFailed)
        assert it.failure is failure
        assert isinstance(failure.__cause__, ConnectionLost)
        assert (await story.until(S.FAILED)).attempt == 1
    else:
        wait = await story.until(S.WAITING)
        assert wait.attempt == 1
        assert wait.retry_in is not None
        assert wait.retry_in >= 10
    assert it.stats.connects == 0
    await it.close()
    assert connecting.done()
    assert len(server.peers) == 1


async def test_row_30_closed_in_the_turn_after_the_opening() -> None:
    """Row 30, accept-then-close: who was ready for a moment only was ready; `connect()` returns; retry."""
    server = Fickle(_listen)
    server.at_once = False
    it = client("ws://localhost/", key=None, transport=server)
    # Called before tasks that wait for the connection wake up.
    it.on_status(lambda change: server.end() if change.status is S.CONNECTED else None)
    assert await timed(it.connect()) < SOON
    assert not it.is_connected()
    await eventually(lambda: it.status is S.WAITING)
    await it.close()


async def test_row_30_a_first_connect_comes_back(peers: Peers) -> None:
    """Row 30, accept-then-close: with a real server `connect()` returns or raises, whichever comes first, but soon."""
    peer = await peers.start("scripted", at_once=1013)
    for _ in range(5):
        it = client(peer.url, key=None)
        outcome = await later(it.connect())
        assert outcome is None or isinstance(outcome, ConnectionFailed)
        await it.close()


async def test_row_31_replies_never_wait_behind_notifications(peers: Peers) -> None:
    """Row 31, flood of notifications, slow consumer: what is over is dropped and counted; a reply comes at once."""
    circle = await peers.start("circle")
    flood = 20_000
    async with client(circle.url) as it, it.notifications("tick") as slow, it.notifications("tick") as other:
        reading = later(anext(other))
        await it.call("tick", [1])
        assert await reading == {"number": 0}
        # The reply follows 20,000 notifications that are not read.
        await it.call("tick", [flood])
        assert await it.call("echo", ["meanwhile"]) == "meanwhile"
        assert len(slow) == len(other) == 1024
        assert slow.dropped == flood + 1 - 1024
        assert other.dropped == flood - 1024
        assert it.stats.dropped == slow.dropped + other.dropped
        assert it.stats.notifications == flood + 1
        # The newest are kept, in order.
        assert [(await anext(slow))["number"] for _ in range(1024)] == list(range(flood - 1024, flood))


@pytest.mark.parametrize(
    ("overflow", "kept", "dropped"),
    [("drop_oldest", range(990, 1000), 990), ("drop_newest", range(10), 990), ("close", range(10), 1)],
)
async def test_row_31_who_listens_chooses_what_goes(
    peers: Peers, overflow: Overflow, kept: range, dropped: int
) -> None:
    """Row 31, flood of notifications, slow consumer: a bounded buffer with a chosen policy, and each has its own."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.notifications("tick", buffer=10, overflow=overflow) as slow:
        all_along = it.notifications("tick", buffer=1000)
        await it.call("tick", [1000])
        assert [(await anext(slow))["number"] for _ in range(10)] == list(kept)
        if overflow == "close":
            with pytest.raises(QueueFull):
                await anext(slow)
        assert slow.dropped == dropped
        assert [(await anext(all_along))["number"] for _ in range(1000)] == list(range(1000))


async def test_row_31_a_slow_consumer_only_delays_itself(peers: Peers) -> None:
    """Row 31, slow consumer: one that works for long, or raises, neither stops the reader nor another consumer."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        released = asyncio.Event()

        async def slow() -> None:
            async with it.notifications("tick") as ticks:
                async for _ in ticks:
                    await released.wait()

        async def raising() -> None:
            async with it.notifications("tick") as ticks:
                async for _ in ticks:
                    raise ValueError("a fault of the consumer's")

        working, failed = later(slow()), later(raising())
        async with it.notifications("tick") as ticks:
            await asyncio.sleep(0)
            await it.call("tick", [100])
            assert [(await anext(ticks))["number"] for _ in range(100)] == list(range(100))
        assert isinstance(await failed, ValueError)
        assert not working.done()
        assert await it.call("echo", [1]) == 1
        released.set()
    await working


def patient(url: str) -> CircleWsClient:
    """Return a client that may send much and sends no heartbeats."""
    return client(url, key=None, max_request_bytes=None, max_queued_bytes=10**9, keepalive=None)


async def test_row_32_calls_wait_for_a_peer_that_does_not_read(peers: Peers) -> None:
    """Row 32, peer stops reading: what is written goes its way later; what waits ends at its time, never sent."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}}, deaf=True)
    async with patient(peer.url) as it:
        written = [later(it.call("f", [LARGE])) for _ in range(64)]
        await asyncio.sleep(0)
        waiting = await later(it.call("f", ["small"], timeout=0.2))
        assert isinstance(waiting, CallTimeout)
        assert waiting.phase == "queue"
        assert "has not run" in str(waiting)
        await peer.ask("listen")
        assert await asyncio.gather(*written) == [1] * 64
        assert await it.call("f", ["again"]) == 1
    received = await until(peer, "received_sizes", lambda sizes: len(sizes) == 65)
    assert sum(size > 1_000_000 for size in received) == 64


async def test_row_32_a_connection_that_ends_while_the_peer_does_not_read(peers: Peers) -> None:
    """Row 32, peer stops reading: written calls fail with `OutcomeUnknown`; the rest goes out on the next one."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}}, deaf=True)
    async with patient(peer.url) as it:
        made = [later(it.call("f", [LARGE])) for _ in range(64)]
        await asyncio.sleep(0)
        await peer.ask("hear_from_now_on")
        await peer.ask("cut")
        outcomes = await asyncio.gather(*made)
    assert {type(outcome) for outcome in outcomes} == {int, OutcomeUnknown}
    assert isinstance(outcomes[0], OutcomeUnknown)
    assert outcomes[-1] == 1


@pytest.mark.parametrize("meanwhile", ["connected", "reconnecting"])
async def test_row_34_two_thousand_calls_at_once(peers: Peers, meanwhile: str) -> None:
    """Row 34, many calls: waiting is the default; each of 2,000 by `gather` gets its own answer."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        if meanwhile == "reconnecting":
            await circle.stop()
            await eventually(lambda: it.status is S.WAITING)
        calls = asyncio.gather(*(it.call("echo", [number]) for number in range(2000)))
        await asyncio.sleep(0)
        if meanwhile == "reconnecting":
            await circle.start()
        assert await calls == list(range(2000))
        assert it.stats.failures == 0


async def test_row_34_large_calls_at_once(peers: Peers) -> None:
    """Row 34, many calls: 100 of 16 KiB at once, which is more than may be on its way, simply work."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        texts = [f"{number} {'x' * 16_384}" for number in range(100)]
        assert await asyncio.gather(*(it.call("echo", [text]) for text in texts)) == texts


async def test_row_34_256_are_in_flight(peers: Peers) -> None:
    """Row 34, many calls: at most 256 are written and unanswered; the others wait, and go out in their order."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        calls: list[asyncio.Task[Any]] = [later(it.call("hold", [number])) for number in range(600)]
        await until(circle, "runs", lambda runs: len(runs) == 256)
        assert await circle.ask("runs") == list(range(256))
        assert not any(call.done() for call in calls)
        await circle.ask("release")
        assert await asyncio.gather(*calls) == list(range(600))
        assert await it.call("echo", [1]) == 1
    assert await circle.ask("runs") == list(range(600))


async def test_row_34_what_waits_is_bounded(peers: Peers) -> None:
    """Row 34, many calls: over `max_queued` one more is `QueueFull` at once, and the others get their answers."""
    circle = await peers.start("circle")
    async with client(circle.url, max_queued=256) as it:
        calls: list[asyncio.Task[Any]] = [later(it.call("hold", [number])) for number in range(512)]
        await until(circle, "runs", lambda runs: len(runs) == 256)
        assert await timed(later(it.call("hold", ["too many"]))) < SOON
        assert isinstance(await later(it.call("hold", ["too many"])), QueueFull)
        await circle.ask("release")
        assert await asyncio.gather(*calls) == list(range(512))


async def test_row_34_bytes_are_counted_too(peers: Peers) -> None:
    """Row 34, many calls: what waits has `max_queued_bytes` at most, and what is cancelled makes room."""
    circle = await peers.start("circle")
    async with client(circle.url, max_queued_bytes=1024 * 1024) as it:
        await circle.stop()
        await eventually(lambda: it.status is S.WAITING)
        calls = [later(it.call("record", ["x" * 60_000])) for _ in range(17)]
        await asyncio.sleep(0)
        assert isinstance(await later(it.call("record", ["x" * 60_000])), QueueFull)
        calls.pop().cancel()
        calls.append(later(it.call("record", ["y" * 60_000])))
        await asyncio.sleep(0)
        await circle.start()
        assert sorted(await asyncio.gather(*calls)) == list(range(1, 18))


async def test_row_34_one_request_alone_is_never_too_large(peers: Peers) -> None:
    """Row 34, many calls: what may be written while connected may wait while reconnecting; a second one may not."""
    circle = await peers.start("scripted", answers={"f": {"result": "fine"}})
    large = ["x" * 5_000_000]
    async with client(circle.url, key=None, max_request_bytes=None, max_queued_bytes=1024 * 1024) as it:
        assert await it.call("f", large) == "fine"
        await circle.stop()
        await eventually(lambda: it.status is S.WAITING)
        alone = later(it.call("f", large))
        await asyncio.sleep(0)
        assert isinstance(await later(it.call("f", large)), QueueFull)
        await circle.start()
        assert await alone == "fine"


async def test_row_34_those_who_wait_may_all_be_cancelled(peers: Peers) -> None:
    """Row 34, many calls: cancelling 20,000 that wait for a connection takes no longer than making them.

    In a page a tenth of them, as making that many tasks takes Node a minute.
    """
    count = 2_000 if IN_BROWSER else 20_000
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await circle.stop()
        await eventually(lambda: it.status is S.WAITING)
        calls = [asyncio.ensure_future(it.call("echo", [number])) for number in range(count)]
        made = await timed(asyncio.sleep(0))
        for call in calls:
            call.cancel()
        cancelled = await timed(asyncio.wait(calls))
        assert all(call.cancelled() for call in calls)
        assert cancelled < 20 * made + 1
        await circle.start()
        assert await it.call("echo", ["free"]) == "free"


async def test_row_34_what_waits_keeps_its_time(peers: Peers) -> None:
    """Row 34, many calls: a call that waits for a slot ends at its time, was never sent, and frees its place."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=1, max_queued=1) as it:
        held = later(it.call("hold", [1]))
        await until(circle, "runs")
        for _ in range(3):
            waiting = await later(it.call("hold", [2], timeout=0.05))
            assert isinstance(waiting, CallTimeout)
            assert "has not run" in str(waiting)
        last = later(it.call("echo", ["last"]))
        await circle.ask("release")
        assert await held == 1
        assert await last == "last"
    assert await circle.ask("runs") == [1]
