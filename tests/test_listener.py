"""A listener, and its bounded buffer between a producer that never waits and a slow reader."""

import asyncio
import gc
import json
from typing import Any

import pytest

from circle_ws.engine.listener import Buffer, Gap, Listener, weigh
from circle_ws.errors import NotConnected, QueueFull


class Held:
    """A producer that holds buffers, and notes which it was told to let go of."""

    def __init__(self) -> None:
        self.removed: list[Buffer[Any]] = []
        self.dropped: list[Buffer[Any]] = []

    def remove(self, buffer: Buffer[Any]) -> None:
        self.removed.append(buffer)

    def drop(self, buffer: Buffer[Any]) -> None:
        self.dropped.append(buffer)


def _make(size: int = 10, **options: Any) -> tuple[Buffer[int], Listener[int]]:
    buffer: Buffer[int] = Buffer(size, **options)
    return buffer, Listener(buffer, Held())


async def _waiting(listener: Listener[int]) -> "asyncio.Task[int]":
    """Start a task that waits for the next item."""

    async def read() -> int:
        return await anext(listener)

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    return task


async def test_order() -> None:
    """Items that were put before and during a wait come in order."""
    buffer, listener = _make()
    buffer.put(1)
    buffer.put(2)
    assert [await anext(listener), await anext(listener)] == [1, 2]
    task = await _waiting(listener)
    buffer.put(3)
    buffer.put(4)
    assert [await task, await anext(listener)] == [3, 4]


async def test_a_waiting_reader_is_woken() -> None:
    """A task that waits on an empty listener gets the item that comes, and not before it comes."""
    buffer, listener = _make()
    task = await _waiting(listener)
    assert not task.done()
    buffer.put(7)
    assert await task == 7


async def test_the_oldest_is_dropped_and_counted() -> None:
    """A slow reader loses the oldest items, and knows how many."""
    buffer, listener = _make(2)
    for item in range(5):
        buffer.put(item)
    buffer.end()
    assert [item async for item in listener] == [3, 4]
    assert listener.dropped == 3


async def test_cancelling_loses_nothing() -> None:
    """A reader that is cancelled in the very turn in which an item came leaves the item to the next one."""
    buffer, listener = _make()
    task = await _waiting(listener)
    buffer.put(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    buffer.put(2)
    assert [await anext(listener), await anext(listener)] == [1, 2]


async def test_a_wait_with_a_timeout_loses_nothing() -> None:
    """`asyncio.timeout` around the wait is safe: what comes later is still read."""
    buffer, listener = _make()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(listener)
    buffer.put(1)
    assert await anext(listener) == 1


async def test_two_readers_share() -> None:
    """Each item goes to exactly one of two readers, and neither hangs."""
    buffer, listener = _make()
    readers = [await _waiting(listener), await _waiting(listener)]
    buffer.put(1)
    buffer.put(2)
    assert sorted(await asyncio.gather(*readers)) == [1, 2]


async def test_the_end_lets_what_is_buffered_be_read() -> None:
    """After the end the iteration gives what is left and then ends, every time."""
    buffer, listener = _make()
    buffer.put(1)
    buffer.end()
    buffer.put(2)
    assert [item async for item in listener] == [1]
    assert [item async for item in listener] == []


async def test_the_end_wakes_who_waits() -> None:
    """A task that waits when the end comes stops waiting: its iteration ends."""
    buffer, listener = _make()

    async def read() -> list[int]:
        return [item async for item in listener]

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    buffer.end()
    assert await task == []


async def test_aclose_is_idempotent() -> None:
    """Closing twice takes the buffer out of the producer and ends it, as closing once."""
    buffer, held = Buffer[int](1), Held()
    listener: Listener[int] = Listener(buffer, held)
    await listener.aclose()
    await listener.aclose()
    assert (set(held.removed), buffer.ended) == ({buffer}, True)
    assert [item async for item in listener] == []
    del listener
    assert held.dropped == []


async def test_leaving_the_block_closes() -> None:
    """At the end of `async with`, an exception or not, the listener is closed."""
    buffer, held = Buffer[int](1), Held()
    with pytest.raises(LookupError):
        async with Listener[int](buffer, held):
            assert not buffer.ended
            raise LookupError
    assert held.removed == [buffer]
    assert buffer.ended


async def test_a_dropped_listener_gives_its_channel_back() -> None:
    """A listener that is simply dropped goes away, also after it was waited on, and what it had buffered with it."""
    buffer, held = Buffer[int](9), Held()
    listener: Listener[int] = Listener(buffer, held)
    task = await _waiting(listener)
    buffer.put(1)
    buffer.put(2)
    assert await task == 1
    assert held.dropped == []
    del listener, task
    gc.collect()
    assert held.dropped == [buffer]
    buffer.put(3)
    assert len(buffer) == 0


async def test_a_task_that_waits_is_kept_by_the_channel() -> None:
    """Row 43: listener, waiter, task and frame hang on the buffer, so a collection does not take them away."""
    buffer, got = Buffer[int](9), asyncio.Event()

    async def read() -> None:
        async for _ in Listener[int](buffer, Held()):
            got.set()

    asyncio.create_task(read())
    await asyncio.sleep(0)
    gc.collect()
    buffer.put(1)
    await got.wait()
    buffer.end()
    await asyncio.sleep(0)


async def test_all_that_is_buffered() -> None:
    """A batch is everything that is there, in order; with nothing there it waits for at least one item."""
    buffer, listener = _make()
    for item in (1, 2, 3):
        buffer.put(item)
    assert await listener.batch() == [1, 2, 3]
    waiting = asyncio.ensure_future(listener.batch())
    await asyncio.sleep(0)
    assert not waiting.done()
    buffer.put(4)
    assert await waiting == [4]


async def test_the_end_of_the_batches() -> None:
    """What is left is the last batch, and then they are empty, every time."""
    buffer, listener = _make()
    buffer.put(1)
    buffer.end()
    assert [await listener.batch() for _ in range(3)] == [[1], [], []]


async def test_a_batch_raises_what_the_iteration_raises() -> None:
    """What is buffered comes first; then the failure, or that the buffer was full, is raised each time."""
    buffer, listener = _make()
    buffer.put(1)
    buffer.fail(NotConnected("gone"))
    assert await listener.batch() == [1]
    for _ in range(2):
        with pytest.raises(NotConnected):
            await listener.batch()
    buffer.fail(None)
    buffer.put(2)
    assert await listener.batch() == [2]
    buffer, listener = _make(1, overflow="close")
    buffer.put(1)
    buffer.put(2)
    assert await listener.batch() == [1]
    with pytest.raises(QueueFull):
        await listener.batch()


async def test_cancelling_a_batch_loses_nothing() -> None:
    """A batch that is cancelled in the very turn in which an item came leaves the item to the next one."""
    buffer, listener = _make()
    waiting = asyncio.ensure_future(listener.batch())
    await asyncio.sleep(0)
    buffer.put(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    buffer.put(2)
    assert await listener.batch() == [1, 2]


async def test_an_item_that_does_not_fit_ends_a_batch() -> None:
    """What came before it is given out, it is raised by the next batch, and what comes after it is not lost."""
    buffer = Buffer[Any](9)
    listener: Listener[int] = Listener(buffer, Held(), convert=int)
    for item in ("1", "2", "three", "four", "5"):
        buffer.put(item)
    assert await listener.batch() == [1, 2]
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            await listener.batch()
    assert await listener.batch() == [5]


async def test_a_batch_has_its_gaps() -> None:
    """Each is in its place, not converted."""
    buffer = Buffer[Any](2, gaps=True)
    listener: Listener[int] = Listener(buffer, Held(), convert=int)
    for item in "123":
        buffer.put(item)
    buffer.interrupted(1.5)
    buffer.put("4")
    assert await listener.batch() == [Gap(2, 0.0), 3, Gap(0, 1.5), 4]


def _read(buffer: Buffer[int]) -> list[int | Gap]:
    return [buffer.pop() for _ in range(len(buffer))]


def test_the_first_is_read_first() -> None:
    """What was put first is read first."""
    buffer: Buffer[int] = Buffer(3)
    for item in (1, 2, 3):
        buffer.put(item)
    assert (_read(buffer), buffer.dropped) == ([1, 2, 3], 0)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_oldest_goes(size: int) -> None:
    """A full buffer keeps the newest items, and counts those that went."""
    buffer: Buffer[int] = Buffer(size)
    for item in range(12):
        buffer.put(item)
    assert (_read(buffer), buffer.dropped) == (list(range(12 - size, 12)), 12 - size)


def test_reading_makes_room() -> None:
    """Only an item without room costs another one."""
    buffer: Buffer[int] = Buffer(2)
    for item in range(10):
        buffer.put(item)
        assert buffer.pop() == item
    assert (len(buffer), buffer.dropped) == (0, 0)


def test_nothing_comes_after_the_end() -> None:
    """After the end what is there can be read, and nothing is added or counted."""
    buffer: Buffer[int] = Buffer(1)
    buffer.put(1)
    buffer.end()
    buffer.end()
    buffer.put(2)
    assert (buffer.ended, buffer.dropped, _read(buffer)) == (True, 0, [1])


def test_an_empty_one_says_so() -> None:
    """Reading from an empty buffer is an error, not a wait."""
    with pytest.raises(IndexError):
        Buffer[int](1).pop()


def _weighed(*weights: int, **options: Any) -> Buffer[int]:
    """Make a buffer of at most 100 bytes that was given items of these weights; each is its own number."""
    buffer: Buffer[int] = Buffer(99, max_bytes=100, **options)
    for number, weight in enumerate(weights):
        buffer.put(number, weight)
    return buffer


def test_the_oldest_go_until_there_is_room() -> None:
    """Bytes are bounded too: as many of the oldest go as the newest needs, and each is counted."""
    buffer = _weighed(40, 40, 40)
    assert (_read(buffer), buffer.dropped) == ([1, 2], 1)
    buffer = _weighed(30, 30, 30, 90)
    assert (_read(buffer), buffer.dropped) == ([3], 3)
    assert _read(_weighed(30, 30, 30, 90, gaps=True)) == [Gap(3, 0), 3]


def test_the_newest_goes_that_is_too_much() -> None:
    """With `drop_newest` one for which there is no room goes, and a smaller one after it may have some."""
    buffer = _weighed(60, 60, 40, 1, overflow="drop_newest")
    assert (_read(buffer), buffer.dropped) == ([0, 2], 2)
    assert _read(_weighed(60, 60, 40, gaps=True, overflow="drop_newest")) == [0, Gap(1, 0), 2]


def test_it_ends_with_what_is_too_much() -> None:
    """With `close` the first for which there is no room ends it, and the error says how much was there."""
    buffer = _weighed(60, 60, 1, overflow="close")
    assert (_read(buffer), buffer.dropped, buffer.ended) == ([0], 1, True)
    assert "1 items of 60 bytes" in str(buffer.overrun)


def test_the_latest_alone_stays() -> None:
    """With `latest` one is kept, whatever its size and that of the buffer; those that it replaces are counted."""
    buffer = _weighed(10, 10, 500, 20, overflow="latest")
    assert (_read(buffer), buffer.dropped) == ([3], 3)
    assert _read(_weighed(10, 10, 10, overflow="latest", gaps=True)) == [Gap(2, 0), 2]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "latest", "close"])
def test_one_alone_is_always_kept(overflow: Any) -> None:
    """A prompt reader misses nothing, however large it is."""
    buffer: Buffer[int] = Buffer(9, max_bytes=100, overflow=overflow)
    for item in range(3):
        buffer.put(item, 1000)
        assert buffer.pop() == item
    assert (buffer.dropped, buffer.ended) == (0, False)


def test_what_was_read_weighs_nothing() -> None:
    """Reading gives the room back, to the last byte."""
    buffer: Buffer[int] = Buffer(99, max_bytes=100)
    for item in range(1000):
        buffer.put(item, 50)
        buffer.put(item, 50)
        assert _read(buffer) == [item, item]
    assert (buffer.dropped, len(buffer)) == (0, 0)


def test_a_text_weighs_what_it_takes() -> None:
    """At least its length; one that is all structure so many times as much as its parts take in memory."""
    assert weigh("x" * 100) == 100
    assert weigh(f'["{"x" * 100_000}"]') < 100_200
    many = f"[{','.join(['[]'] * 10_000)}]"
    assert 20 * len(many) < weigh(many) < 40 * len(many)
    records = json.dumps([{"a": 1}] * 10_000)
    assert 10 * len(records) < weigh(records) < 30 * len(records)


def test_peeking_takes_nothing() -> None:
    """What is next, a gap or an item, is still there afterwards."""
    buffer: Buffer[int] = Buffer(1, gaps=True)
    buffer.put(1)
    buffer.put(2)
    assert [buffer.peek(), buffer.peek(), buffer.pop(), buffer.peek(), buffer.pop()] == [Gap(1, 0)] * 3 + [2, 2]
    with pytest.raises(IndexError):
        buffer.peek()


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
