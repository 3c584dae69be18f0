"""A buffer that a task can wait on."""

import asyncio
import gc
from typing import Any

import pytest

from circle_ws.engine.buffer import Gap
from circle_ws.engine.listener import Channel, Listener
from circle_ws.errors import NotConnected, QueueFull


class Held:
    """A producer that holds channels, and notes which it was told to let go of."""

    def __init__(self) -> None:
        self.removed: list[Channel[Any]] = []
        self.dropped: list[Channel[Any]] = []

    def remove(self, channel: Channel[Any]) -> None:
        self.removed.append(channel)

    def drop(self, channel: Channel[Any]) -> None:
        self.dropped.append(channel)


def _make(size: int = 10, **options: Any) -> tuple[Channel[int], Listener[int]]:
    channel: Channel[int] = Channel(size, **options)
    return channel, Listener(channel, Held())


async def _waiting(listener: Listener[int]) -> "asyncio.Task[int]":
    """Start a task that waits for the next item."""

    async def read() -> int:
        return await anext(listener)

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    return task


async def test_order() -> None:
    """What was put before and while somebody waits comes in order."""
    channel, listener = _make()
    channel.put(1)
    channel.put(2)
    assert [await anext(listener), await anext(listener)] == [1, 2]
    task = await _waiting(listener)
    channel.put(3)
    channel.put(4)
    assert [await task, await anext(listener)] == [3, 4]


async def test_a_waiting_reader_is_woken() -> None:
    """A task that waits on an empty listener gets the item that comes, and not before it comes."""
    channel, listener = _make()
    task = await _waiting(listener)
    assert not task.done()
    channel.put(7)
    assert await task == 7


async def test_the_oldest_is_dropped_and_counted() -> None:
    """A slow reader loses the oldest items, and knows how many."""
    channel, listener = _make(2)
    for item in range(5):
        channel.put(item)
    channel.end()
    assert [item async for item in listener] == [3, 4]
    assert listener.dropped == 3


async def test_cancelling_loses_nothing() -> None:
    """A reader that is cancelled in the very turn in which an item came leaves the item to the next one."""
    channel, listener = _make()
    task = await _waiting(listener)
    channel.put(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    channel.put(2)
    assert [await anext(listener), await anext(listener)] == [1, 2]


async def test_a_wait_with_a_timeout_loses_nothing() -> None:
    """`asyncio.timeout` around the wait is safe: what comes later is still read."""
    channel, listener = _make()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(listener)
    channel.put(1)
    assert await anext(listener) == 1


async def test_two_readers_share() -> None:
    """Each item goes to exactly one of two readers, and neither hangs."""
    channel, listener = _make()
    readers = [await _waiting(listener), await _waiting(listener)]
    channel.put(1)
    channel.put(2)
    assert sorted(await asyncio.gather(*readers)) == [1, 2]


async def test_the_end_lets_what_is_buffered_be_read() -> None:
    """After the end the iteration gives what is left and then ends, every time."""
    channel, listener = _make()
    channel.put(1)
    channel.end()
    channel.put(2)
    assert [item async for item in listener] == [1]
    assert [item async for item in listener] == []


async def test_the_end_wakes_who_waits() -> None:
    """A task that waits when the end comes stops waiting: its iteration ends."""
    channel, listener = _make()

    async def read() -> list[int]:
        return [item async for item in listener]

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    channel.end()
    assert await task == []


async def test_aclose_is_idempotent() -> None:
    """Closing twice takes the channel out of the producer and ends it, as closing once."""
    channel, held = Channel[int](1), Held()
    listener: Listener[int] = Listener(channel, held)
    await listener.aclose()
    await listener.aclose()
    assert (set(held.removed), channel.ended) == ({channel}, True)
    assert [item async for item in listener] == []
    del listener
    assert held.dropped == []


async def test_leaving_the_block_closes() -> None:
    """At the end of `async with`, an exception or not, the listener is closed."""
    channel, held = Channel[int](1), Held()
    with pytest.raises(LookupError):
        async with Listener[int](channel, held):
            assert not channel.ended
            raise LookupError
    assert held.removed == [channel]
    assert channel.ended


async def test_a_dropped_listener_gives_its_channel_back() -> None:
    """A listener that is simply dropped goes away, also after it was waited on, and what it had buffered with it."""
    channel, held = Channel[int](9), Held()
    listener: Listener[int] = Listener(channel, held)
    task = await _waiting(listener)
    channel.put(1)
    channel.put(2)
    assert await task == 1
    assert held.dropped == []
    del listener, task
    gc.collect()
    assert held.dropped == [channel]
    channel.put(3)
    assert len(channel) == 0


async def test_a_task_that_waits_is_kept_by_the_channel() -> None:
    """Row 43: listener, waiter, task and frame hang on the channel, so a collection does not take them away."""
    channel, got = Channel[int](9), asyncio.Event()

    async def read() -> None:
        async for _ in Listener[int](channel, Held()):
            got.set()

    asyncio.create_task(read())
    await asyncio.sleep(0)
    gc.collect()
    channel.put(1)
    await got.wait()
    channel.end()
    await asyncio.sleep(0)


async def test_all_that_is_buffered() -> None:
    """A batch is everything that is there, in order; with nothing there it waits for at least one item."""
    channel, listener = _make()
    for item in (1, 2, 3):
        channel.put(item)
    assert await listener.batch() == [1, 2, 3]
    waiting = asyncio.ensure_future(listener.batch())
    await asyncio.sleep(0)
    assert not waiting.done()
    channel.put(4)
    assert await waiting == [4]


async def test_the_end_of_the_batches() -> None:
    """What is left is the last batch, and then they are empty, every time."""
    channel, listener = _make()
    channel.put(1)
    channel.end()
    assert [await listener.batch() for _ in range(3)] == [[1], [], []]


async def test_a_batch_raises_what_the_iteration_raises() -> None:
    """What is buffered comes first; then the failure, or that the buffer was full, is raised each time."""
    channel, listener = _make()
    channel.put(1)
    channel.fail(NotConnected("gone"))
    assert await listener.batch() == [1]
    for _ in range(2):
        with pytest.raises(NotConnected):
            await listener.batch()
    channel.fail(None)
    channel.put(2)
    assert await listener.batch() == [2]
    channel, listener = _make(1, overflow="close")
    channel.put(1)
    channel.put(2)
    assert await listener.batch() == [1]
    with pytest.raises(QueueFull):
        await listener.batch()


async def test_cancelling_a_batch_loses_nothing() -> None:
    """A batch that is cancelled in the very turn in which an item came leaves the item to the next one."""
    channel, listener = _make()
    waiting = asyncio.ensure_future(listener.batch())
    await asyncio.sleep(0)
    channel.put(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    channel.put(2)
    assert await listener.batch() == [1, 2]


async def test_an_item_that_does_not_fit_ends_a_batch() -> None:
    """What came before it is given out, it is raised by the next batch, and what comes after it is not lost."""
    channel = Channel[Any](9)
    listener: Listener[int] = Listener(channel, Held(), convert=int)
    for item in ("1", "2", "three", "four", "5"):
        channel.put(item)
    assert await listener.batch() == [1, 2]
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            await listener.batch()
    assert await listener.batch() == [5]


async def test_a_batch_has_its_gaps() -> None:
    """Each is in its place, not converted."""
    channel = Channel[Any](2, gaps=True)
    listener: Listener[int] = Listener(channel, Held(), convert=int)
    for item in "123":
        channel.put(item)
    channel.missed(1.5)
    channel.put("4")
    assert await listener.batch() == [Gap(2, 0.0), 3, Gap(0, 1.5), 4]
