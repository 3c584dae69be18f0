"""A wait that others end: no ring is lost, and none rings twice. Time is virtual."""

import asyncio
from collections.abc import Generator

import pytest

from circle_ws.engine.wakeup import Alarm
from tests.support.virtual import VirtualLoop


@pytest.fixture
def loop() -> Generator[VirtualLoop]:
    """A loop whose time passes when nothing is to be done."""
    it = VirtualLoop()
    yield it
    it.close()


def test_it_ends_a_wait(loop: VirtualLoop) -> None:
    """At once, or at the time that was given."""

    async def waits() -> list[float]:
        alarm = Alarm()
        loop.call_later(1, alarm.ring)
        await alarm.wait()
        times = [loop.time()]
        await alarm.wait(loop.time() + 2)
        return [*times, loop.time()]

    assert loop.run(waits()) == [1, 3]


@pytest.mark.parametrize("rings", [1, 2])
def test_one_that_rang_between_two_waits_ends_the_next(loop: VirtualLoop, rings: int) -> None:
    """And only that one."""

    async def waits() -> list[float]:
        alarm = Alarm()
        for _ in range(rings):
            alarm.ring()
        await alarm.wait(loop.time() + 5)
        times = [loop.time()]
        await alarm.wait(loop.time() + 5)
        return [*times, loop.time()]

    assert loop.run(waits()) == [0, 5]


def test_one_that_rings_while_a_wait_ends_is_one_ring(loop: VirtualLoop) -> None:
    """Whoever waited looks at what there is to do, after that."""

    async def waits() -> list[float]:
        alarm = Alarm()
        loop.call_later(1, alarm.ring)
        loop.call_later(1, alarm.ring)
        await alarm.wait()
        times = [loop.time()]
        await alarm.wait(loop.time() + 5)
        return [*times, loop.time()]

    assert loop.run(waits()) == [1, 6]


@pytest.mark.parametrize("ends", ["done", "rung", "over"])
def test_a_wait_for_something(loop: VirtualLoop, ends: str) -> None:
    """Until it is done, the alarm rings or the time is over; what was waited for is left as it is."""

    async def waits() -> float:
        alarm = Alarm()
        future = loop.create_future()
        if ends == "done":
            loop.call_later(1, future.set_result, None)
        elif ends == "rung":
            loop.call_later(1, alarm.ring)
        await alarm.wait_for(future, loop.time() + 2)
        assert future.done() is (ends == "done")
        assert not future.cancelled()
        return loop.time()

    assert loop.run(waits()) == (2 if ends == "over" else 1)


def test_a_wait_for_what_is_done_already(loop: VirtualLoop) -> None:
    """It ends at once, and the next wait is not disturbed."""

    async def waits() -> list[float]:
        alarm = Alarm()
        future = loop.create_future()
        future.set_result(None)
        await alarm.wait_for(future, loop.time() + 2)
        times = [loop.time()]
        await alarm.wait(loop.time() + 2)
        return [*times, loop.time()]

    assert loop.run(waits()) == [0, 2]


def test_a_cancelled_wait_keeps_what_rang(loop: VirtualLoop) -> None:
    """The next one ends at once."""

    async def waits() -> float:
        alarm = Alarm()
        task = asyncio.ensure_future(alarm.wait())
        await asyncio.sleep(0)
        alarm.ring()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await alarm.wait(loop.time() + 2)
        return loop.time()

    assert loop.run(waits()) == 0
