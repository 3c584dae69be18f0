"""The bell of a circle in memory, by which event loops in several threads wait for one another."""

import asyncio

import pytest

from circle_ws.testing.gate import Bell, wake
from tests.support.outcomes import eventually, later


async def test_a_ring_between_the_look_and_the_wait() -> None:
    """It is not missed: another thread may ring at any moment."""
    bell, rung, looks = Bell(), False, 0

    def condition() -> bool:
        nonlocal rung, looks
        looks += 1
        seen = rung
        if looks == 1:
            # What another thread may do right after the first look.
            rung = True
            bell.ring()
        return seen

    await bell.until(condition)


async def test_all_that_wait_are_woken_and_none_is_kept() -> None:
    """Neither those whose conditions hold, nor those that were cancelled."""
    bell, holds = Bell(), False
    waiting = [later(bell.until(lambda: holds)) for _ in range(3)]
    waiting.append(later(bell.until(lambda: False)))
    await eventually(lambda: len(bell._waiters) == 4)
    holds = True
    bell.ring()
    assert [await one for one in waiting[:3]] == [None] * 3
    assert len(bell._waiters) == 1
    waiting[3].cancel()
    await asyncio.wait(waiting)
    assert bell._waiters == []


async def test_one_that_is_woken_twice() -> None:
    """Two threads may ring at the same time."""
    waiter = asyncio.get_running_loop().create_future()
    wake(waiter)
    wake(waiter)
    assert await waiter is None


@pytest.mark.native_only("there are no threads")
async def test_those_of_another_loop_are_woken() -> None:
    """From any thread; a loop that has ended has nobody to wake."""
    bell, holds = Bell(), False
    ended: list[asyncio.Future[None]] = []

    async def wait() -> None:
        ended.append(asyncio.get_running_loop().create_future())
        await bell.until(lambda: holds)

    waiting = later(asyncio.to_thread(asyncio.run, wait()))
    await eventually(lambda: bell._waiters)
    holds = True
    bell.ring()
    await waiting
    assert bell._waiters == []
    wake(ended[0])
    assert not ended[0].done()
