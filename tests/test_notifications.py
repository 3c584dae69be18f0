"""Which listeners get which notification; overflow, gaps and types in both runtimes against the real circle."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from circle_ws import Backoff, Gap, InvalidRequest, InvalidResult, Notification, QueueFull
from circle_ws.engine.listener import Buffer
from circle_ws.engine.notifications import Subscriptions
from tests.support.clients import client
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers


def _read(buffer: Buffer[object]) -> list[object]:
    return [buffer.pop() for _ in range(len(buffer))]


def test_by_method() -> None:
    """A notification goes to all listeners of its method, and to no other."""
    subscriptions, one, two, other = Subscriptions(), Buffer[object](9), Buffer[object](9), Buffer[object](9)
    subscriptions.add("price", one)
    subscriptions.add("price", two)
    subscriptions.add("news", other)
    subscriptions.publish("price", [1])
    subscriptions.publish("news", {"a": 2})
    subscriptions.publish("weather", None)
    assert (_read(one), _read(two), _read(other)) == ([[1]], [[1]], [{"a": 2}])


@pytest.mark.parametrize("params", [None, [], {}, [1, 2], {"a": 1}], ids=repr)
def test_params_come_as_they_are(params: object) -> None:
    """The params are handed on unchanged, also where there are none."""
    subscriptions, buffer = Subscriptions(), Buffer[object](1)
    subscriptions.add("price", buffer)
    subscriptions.publish("price", params)
    assert buffer.pop() is params


def test_one_buffer_for_two_methods() -> None:
    """A buffer that listens to two methods gets both, and may give up one."""
    subscriptions, buffer = Subscriptions(), Buffer[object](9)
    subscriptions.add("price", buffer)
    news = subscriptions.add("news", buffer)
    subscriptions.publish("news", 1)
    subscriptions.publish("price", 2)
    news.remove(buffer)
    subscriptions.publish("news", 3)
    subscriptions.publish("price", 4)
    assert _read(buffer) == [1, 2, 4]


def test_a_buffer_added_twice_gets_one() -> None:
    """Adding a buffer once more does not double what it gets."""
    subscriptions, buffer = Subscriptions(), Buffer[object](9)
    subscriptions.add("price", buffer)
    subscriptions.add("price", buffer)
    subscriptions.publish("price", 1)
    assert _read(buffer) == [1]


def test_removal() -> None:
    """A removed buffer gets nothing more and is not ended; removing one that is not there is ignored."""
    subscriptions, one, two = Subscriptions(), Buffer[object](9), Buffer[object](9)
    price = subscriptions.add("price", one)
    subscriptions.add("price", two)
    price.remove(one)
    price.remove(one)
    subscriptions.publish("price", 1)
    assert (_read(one), one.ended, _read(two)) == ([], False, [1])


def test_a_dropped_buffer_goes_with_the_next_look() -> None:
    """One that is dropped, in any thread and at any time, gets nothing more, and others get theirs."""
    subscriptions, dropped, kept = Subscriptions(), Buffer[object](9), Buffer[object](9)
    subscriptions.add("price", dropped).drop(dropped)
    subscriptions.add("price", kept)
    subscriptions.publish("price", 1)
    assert (_read(dropped), _read(kept)) == ([], [1])


def test_names_of_dropped_buffers_do_not_stay() -> None:
    """Row 44: a listener on a name of its own leaves nothing behind, closed or dropped, with or without traffic."""
    subscriptions = Subscriptions()
    for number in range(1000):
        closed, dropped = Buffer[object](9), Buffer[object](9)
        subscriptions.add(f"closed {number}", closed).remove(closed)
        subscriptions.add(f"dropped {number}", dropped).drop(dropped)
        assert len(subscriptions._topics) <= 2
    subscriptions.publish("another", 1)
    assert subscriptions._topics == {}


def test_one_that_comes_while_the_last_goes() -> None:
    """The last buffer of a name goes in the step after another was added to it: that one gets its notifications."""
    subscriptions, one, other = Subscriptions(), Buffer[object](9), Buffer[object](9)
    price = subscriptions.add("price", one)
    price.drop(one)
    subscriptions.add("price", other)
    price.remove(one)
    subscriptions.publish("price", 1)
    assert (_read(one), _read(other)) == ([], [1])


def test_changes_while_a_notification_is_handed_on() -> None:
    """A buffer that is added or removed by what a notification wakes does not disturb the others."""
    subscriptions, last = Subscriptions(), Buffer[object](9)

    class Changing(Buffer[object]):
        def put(self, item: object, weight: int = 0) -> int:
            price.remove(self)
            subscriptions.add("price", Buffer(9))
            return super().put(item, weight)

    changing = Changing(9)
    price = subscriptions.add("price", changing)
    subscriptions.add("price", last)
    subscriptions.publish("price", 1)
    assert (_read(changing), _read(last)) == ([1], [1])


def test_a_full_buffer_does_not_hold_up_others() -> None:
    """A slow listener loses its own oldest items only."""
    subscriptions, slow, quick = Subscriptions(), Buffer[object](1), Buffer[object](9)
    subscriptions.add("price", slow)
    subscriptions.add("price", quick)
    for item in range(3):
        subscriptions.publish("price", item)
    assert (_read(slow), slow.dropped, _read(quick)) == ([2], 2, [0, 1, 2])


def test_the_end() -> None:
    """The end reaches every buffer, and each that comes later; what was there can be read."""
    subscriptions, one, other, late = Subscriptions(), Buffer[object](9), Buffer[object](9), Buffer[object](9)
    subscriptions.add("price", one)
    subscriptions.add("news", other)
    subscriptions.publish("price", 1)
    subscriptions.end()
    subscriptions.end()
    subscriptions.add("price", late)
    subscriptions.publish("price", 2)
    assert (one.ended, other.ended, late.ended) == (True, True, True)
    assert (_read(one), _read(late)) == ([1], [])


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
        {"method": "tick", "yields": complex},
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
async def test_a_flood_blocks_nothing(peers: Peers, flood: int) -> None:
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
