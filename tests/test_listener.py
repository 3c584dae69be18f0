"""A buffer that a task can wait on."""

import asyncio
import gc
from weakref import WeakSet

import pytest

from circle_ws.listener import Listener


def _ignore(listener: Listener[int]) -> None:
    """What a listener without an owner calls at its end."""


def _make(size: int = 10) -> Listener[int]:
    return Listener(size, _ignore)


async def _waiting(listener: Listener[int]) -> "asyncio.Task[int]":
    """Start a task that waits for the next item."""

    async def read() -> int:
        return await anext(listener)

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    return task


async def test_order() -> None:
    """What was put before and while somebody waits comes in order."""
    listener = _make()
    listener.put(1)
    listener.put(2)
    assert [await anext(listener), await anext(listener)] == [1, 2]
    task = await _waiting(listener)
    listener.put(3)
    listener.put(4)
    assert [await task, await anext(listener)] == [3, 4]


async def test_a_waiting_reader_is_woken() -> None:
    """A task that waits on an empty listener gets the item that comes, and not before it comes."""
    listener = _make()
    task = await _waiting(listener)
    assert not task.done()
    listener.put(7)
    assert await task == 7


async def test_the_oldest_is_dropped_and_counted() -> None:
    """A slow reader loses the oldest items, and knows how many."""
    listener = _make(2)
    for item in range(5):
        listener.put(item)
    listener.end()
    assert [item async for item in listener] == [3, 4]
    assert listener.dropped == 3


async def test_cancelling_loses_nothing() -> None:
    """A reader that is cancelled in the very turn in which an item came leaves the item to the next one."""
    listener = _make()
    task = await _waiting(listener)
    listener.put(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    listener.put(2)
    assert [await anext(listener), await anext(listener)] == [1, 2]


async def test_a_wait_with_a_timeout_loses_nothing() -> None:
    """`asyncio.timeout` around the wait is safe: what comes later is still read."""
    listener = _make()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(listener)
    listener.put(1)
    assert await anext(listener) == 1


async def test_two_readers_share() -> None:
    """Each item goes to exactly one of two readers, and neither hangs."""
    listener = _make()
    readers = [await _waiting(listener), await _waiting(listener)]
    listener.put(1)
    listener.put(2)
    assert sorted(await asyncio.gather(*readers)) == [1, 2]


async def test_the_end_lets_what_is_buffered_be_read() -> None:
    """After the end the iteration gives what is left and then ends, every time."""
    listener = _make()
    listener.put(1)
    listener.end()
    listener.put(2)
    assert [item async for item in listener] == [1]
    assert [item async for item in listener] == []


async def test_the_end_wakes_who_waits() -> None:
    """A task that waits when the end comes stops waiting: its iteration ends."""
    listener = _make()

    async def read() -> list[int]:
        return [item async for item in listener]

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    listener.end()
    assert await task == []


async def test_aclose_is_idempotent() -> None:
    """Closing twice forgets the listener and ends it, as closing once."""
    listeners: set[Listener[int]] = set()
    listener: Listener[int] = Listener(1, listeners.discard)
    listeners.add(listener)
    await listener.aclose()
    await listener.aclose()
    assert (listeners, listener.ended) == (set(), True)
    assert [item async for item in listener] == []


async def test_leaving_the_block_closes() -> None:
    """At the end of `async with`, an exception or not, the listener is closed."""
    forgotten: list[Listener[int]] = []
    with pytest.raises(LookupError):
        async with Listener[int](1, forgotten.append) as listener:
            assert not listener.ended
            raise LookupError
    assert forgotten == [listener]
    assert listener.ended


async def test_a_dropped_listener_is_collected() -> None:
    """A listener that is held weakly and simply dropped goes away, also after it was waited on."""
    listener = _make()
    held: WeakSet[Listener[int]] = WeakSet([listener])
    task = await _waiting(listener)
    listener.put(1)
    assert await task == 1
    assert len(held) == 1
    del listener, task
    gc.collect()
    assert len(held) == 0
