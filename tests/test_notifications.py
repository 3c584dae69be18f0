"""Listeners: buffers, overflow, gaps, everything, types; in both runtimes against the real circle."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from circle_ws import Backoff, Gap, InvalidRequest, InvalidResult, Notification, QueueFull
from circle_ws.engine.listener import Buffer
from tests.support.clients import client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers


def _read(buffer: Buffer[int]) -> list[int | Gap]:
    return [buffer.pop() for _ in range(len(buffer))]


def _filled(count: int, **options: Any) -> Buffer[int]:
    buffer: Buffer[int] = Buffer(3, **options)
    for item in range(count):
        buffer.put(item)
    return buffer


def test_the_newest_goes() -> None:
    """With `drop_newest` what is there stays, and what comes too late is counted."""
    buffer = _filled(10, overflow="drop_newest")
    assert (_read(buffer), buffer.dropped) == ([0, 1, 2], 7)


def test_a_full_buffer_can_end() -> None:
    """With `close` it ends at the first item that has no room, and says why; what is there can be read."""
    buffer = _filled(10, overflow="close")
    assert (_read(buffer), buffer.dropped, buffer.ended) == ([0, 1, 2], 1, True)
    assert isinstance(buffer.overrun, QueueFull)


def test_gaps_are_where_something_is_missing() -> None:
    """The oldest went: the gap is before what is left. The newest went: it is behind. It holds how many."""
    assert _read(_filled(5, gaps=True)) == [Gap(2, 0), 2, 3, 4]
    assert _read(_filled(5, overflow="drop_newest", gaps=True)) == [0, 1, 2, Gap(2, 0)]
    assert _read(_filled(3, gaps=True)) == [0, 1, 2]


def test_gaps_join() -> None:
    """A downtime and what is dropped in the same place are one gap; elsewhere they are two."""
    buffer = _filled(1, gaps=True)
    buffer.interrupted(1.5)
    buffer.put(1)
    buffer.interrupted(2.0)
    buffer.interrupted(0.5)
    assert _read(buffer) == [0, Gap(0, 1.5), 1, Gap(0, 2.5)]
    buffer = _filled(1, gaps=True)
    buffer.interrupted(1.5)
    for item in (1, 2, 3, 4):
        buffer.put(item)
    assert _read(buffer) == [Gap(2, 1.5), 2, 3, 4]


def test_without_gaps_none_come() -> None:
    """Who did not ask for them is not told."""
    buffer = _filled(5)
    buffer.interrupted(1.0)
    assert _read(buffer) == [2, 3, 4]


def test_every_item_is_read_or_counted_once() -> None:
    """However writing, reading and downtimes follow each other: what is read and what the gaps count is everything."""
    buffer: Buffer[int] = Buffer(4, gaps=True)
    read: list[int | Gap] = []
    for item in range(500):
        buffer.put(item)
        if item % 7 == 0:
            buffer.interrupted(1.0)
        read += [buffer.pop() for _ in range(min(item % 3, len(buffer)))]
    read += _read(buffer)
    items = [it for it in read if isinstance(it, int)]
    gaps = [it for it in read if isinstance(it, Gap)]
    assert items == sorted(set(items))
    assert len(items) + sum(gap.dropped for gap in gaps) == 500
    assert sum(gap.downtime for gap in gaps) == len(range(0, 500, 7))
    assert _jumps(read) == 0


def _jumps(read: list[int | Gap]) -> int:
    """Count where items are missing without a gap that says so."""
    jumps, last = 0, -1
    marked = False
    for it in read:
        if isinstance(it, Gap):
            marked = marked or it.dropped > 0
        else:
            jumps += it != last + 1 and not marked
            last, marked = it, False
    return jumps


async def test_a_listener_for_everything(peers: Peers) -> None:
    """Without a method every notification comes, with its name; a listener for one method has its own beside it."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.notifications() as everything, it.notifications("tick") as ticks:
        await circle.ask("push", method="news", params={"a": 1})
        await it.call("tick")
        await circle.ask("push", method="bare", params=None)
        first = [await anext(everything) for _ in range(3)]
        assert first == [
            Notification("news", {"a": 1}),
            Notification("tick", {"number": 0}),
            Notification("bare", None),
        ]
        assert await anext(ticks) == {"number": 0}


@pytest.mark.parametrize(
    "options",
    [
        {"method": ""},
        {"method": 5},
        {"buffer": 0},
        {"buffer": True},
        {"buffer": 1.5},
        {"buffer_bytes": 0},
        {"buffer_bytes": True},
        {"buffer_bytes": None},
        {"overflow": "drop"},
        {"overflow": None},
        {"gaps": 1},
        {"method": "tick", "yields": bytes},
        {"yields": int},
    ],
    ids=repr,
)
def test_what_is_wrong_is_said(options: Any) -> None:
    """Each argument that cannot be is refused at once, by name."""
    with pytest.raises(InvalidRequest):
        client("ws://localhost/").notifications(**options)


@dataclass
class Tick:
    number: int


async def test_what_it_yields(peers: Peers) -> None:
    """The params as what was asked for; others raise from the iteration, which goes on with the next."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.notifications("tick", yields=Tick) as ticks:
        await it.call("tick")
        await circle.ask("push", method="tick", params={"number": "one"})
        await circle.ask("push", method="tick", params={"number": 7, "more": 1})
        assert await anext(ticks) == Tick(0)
        with pytest.raises(InvalidResult) as caught:
            await anext(ticks)
        assert caught.value.path == "$.number"
        assert await anext(ticks) == Tick(7)


async def test_an_overrun_ends_the_loop(peers: Peers) -> None:
    """`overflow="close"`: what was buffered is read, then `QueueFull` says why nothing more comes, every time."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.notifications("tick", buffer=3, overflow="close") as ticks:
        await it.call("tick", [5])
        assert [await anext(ticks) for _ in range(3)] == [{"number": number} for number in range(3)]
        for _ in range(2):
            with pytest.raises(QueueFull, match="too slow"):
                await anext(ticks)
        assert it.is_connected()
        assert it.stats.dropped == 1


OVERFLOWS: dict[Any, list[int]] = {"drop_oldest": [8, 9], "drop_newest": [0, 1], "close": [0, 1], "latest": [9]}


@pytest.mark.parametrize("overflow", OVERFLOWS)
async def test_bytes_are_bounded_too(peers: Peers, overflow: Any) -> None:
    """Row 31: however many may be kept, their sizes together are bounded, by every kind of overflow."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None) as it:
        listener = it.notifications("n", buffer=1000, buffer_bytes=250_000, overflow=overflow)
        for number in range(10):
            text = f'{{"jsonrpc":"2.0","method":"n","params":[{number},"{"x" * 100_000}"]}}'
            await peer.ask("send", text=text)
        await eventually(lambda: it.stats.notifications == 10)
        assert [params[0] for params in await listener.batch()] == OVERFLOWS[overflow]
        assert listener.dropped == it.stats.dropped == (1 if overflow == "close" else 10 - len(OVERFLOWS[overflow]))


async def test_bytes_are_bounded_by_default(peers: Peers) -> None:
    """Twenty messages of a mebibyte are more than what is kept: sixteen mebibytes."""
    peer = await peers.start("scripted")
    text = f'{{"jsonrpc":"2.0","method":"n","params":["{"x" * 2**20}"]}}'
    async with client(peer.url, key=None) as it:
        listener = it.notifications("n")
        for _ in range(20):
            await peer.ask("send", text=text)
        await eventually(lambda: it.stats.notifications == 20)
        assert len(await listener.batch()) == 15
        assert listener.dropped == 5


async def test_structure_weighs(peers: Peers) -> None:
    """A text that takes twenty-five times its length once it is decoded counts for what it takes."""
    peer = await peers.start("scripted")
    text = f'{{"jsonrpc":"2.0","method":"n","params":[{",".join(["[]"] * 100_000)}]}}'
    async with client(peer.url, key=None) as it:
        listener = it.notifications("n")
        for _ in range(5):
            await peer.ask("send", text=text)
        await eventually(lambda: it.stats.notifications == 5)
        assert len(await listener.batch()) == 1
        assert listener.dropped == 4


async def test_members_of_a_batch_weigh_what_each_is(peers: Peers) -> None:
    """A batch of notifications fills a buffer as its members would that come one by one."""
    peer = await peers.start("scripted")
    members = [f'{{"jsonrpc":"2.0","method":"n","params":["{"x" * size}"]}}' for size in (900_000, 10, 10, 900_000)]
    async with client(peer.url, key=None) as it:
        listener = it.notifications("n", buffer_bytes=1_000_000)
        await peer.ask("send", text=f"[{','.join(members)}]")
        await eventually(lambda: it.stats.notifications == 4)
        assert [len(params[0]) for params in await listener.batch()] == [10, 10, 900_000]


async def test_only_the_latest(peers: Peers) -> None:
    """`overflow="latest"`: a reader that was slow goes on with the newest one."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.notifications("tick", overflow="latest") as ticks:
        await it.call("tick", [500])
        assert await anext(ticks) == {"number": 499}
        assert ticks.dropped == it.stats.dropped == 499


async def test_all_that_is_buffered_at_once(peers: Peers) -> None:
    """`batch()` gives what is there as a list, waits where nothing is, and gives an empty one at the end."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        ticks = it.notifications("tick", yields=Tick)
        await it.call("tick", [3])
        assert await ticks.batch() == [Tick(0), Tick(1), Tick(2)]
        waiting = later(ticks.batch())
        await it.call("tick", [1])
        assert await waiting == [Tick(0)]
    assert await ticks.batch() == []


async def test_a_gap_after_each_of_100_reconnects(peers: Peers) -> None:
    """A listener lives through all of them: one gap each, with its downtime, in its place; nothing comes twice."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, backoff=Backoff(first=0.001, base=0.001, maximum=0.001, floor=0.001)) as it:
        listener = it.notifications("n", gaps=True)
        for number in range(100):
            await peer.ask("send", text=f'{{"jsonrpc":"2.0","method":"n","params":[{number}]}}')
            assert await anext(listener) == [number]
            await peer.ask("cut")
            gap = await anext(listener)
            assert isinstance(gap, Gap)
            assert gap.dropped == 0
            assert 0 <= gap.downtime < 5
            await it.wait_until_connected()
        assert len(listener) == 0
        assert it.stats.reconnects == 100


async def test_no_gap_before_the_first_connect(peers: Peers) -> None:
    """A listener that was made before the client was ever connected has missed nothing."""
    circle = await peers.start("circle")
    it = client(circle.url)
    ticks = it.notifications("tick", gaps=True)
    async with it:
        await it.call("tick")
        assert await anext(ticks) == {"number": 0}


async def test_leaving_the_loop_early_ends_the_listener(peers: Peers) -> None:
    """Breaking out of the block, or cancelling the task that reads, leaves no buffer that fills."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:

        async def read() -> None:
            async with it.notifications("tick") as ticks:
                async for _ in ticks:
                    pass

        task = asyncio.ensure_future(read())
        await it.call("tick")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with it.notifications("tick") as ticks:
            await it.call("tick", [3])
            async for _ in ticks:
                break
        assert it._supervisor.subscriptions._topics == {}


@pytest.fixture
def flood() -> Iterator[int]:
    """How many notifications a flood is."""
    yield 20_000


@pytest.mark.limit(600)
async def test_a_flood_holds_nobody_up(peers: Peers, flood: int) -> None:
    """20,000 notifications at full speed while 100 calls are in flight: each call answers, each notification counts."""
    circle = await peers.start("circle", max_backlog_bytes=64 * 1024 * 1024)
    async with client(circle.url) as it:
        everything = it.notifications("tick", buffer=flood)
        slow = it.notifications("tick", buffer=100, gaps=True)
        pushing = later(it.call("tick", [flood], timeout=100))
        calls = [later(it.call("echo", [number], timeout=100)) for number in range(100)]
        assert await asyncio.gather(*calls) == list(range(100))
        await pushing
        await eventually(lambda: it.stats.notifications == flood)
        assert [(await anext(everything))["number"] for _ in range(flood)] == list(range(flood))
        assert everything.dropped == 0
        assert slow.dropped == it.stats.dropped == flood - 100
        assert await anext(slow) == Gap(flood - 100, 0)
        assert (await anext(slow))["number"] == flood - 100
