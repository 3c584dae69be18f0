"""The interruptible sleep: no wake-up is lost, and none wakes twice. Time is virtual."""

import asyncio
from collections.abc import Generator

import pytest

from circle_ws.engine.wakeup import Wakeup
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
        wakeup = Wakeup()
        loop.call_later(1, wakeup.wake)
        await wakeup.wait()
        times = [loop.time()]
        await wakeup.wait(loop.time() + 2)
        return [*times, loop.time()]

    assert loop.run(waits()) == [1, 3]


@pytest.mark.parametrize("wakes", [1, 2])
def test_one_that_was_woken_between_two_waits_ends_the_next(loop: VirtualLoop, wakes: int) -> None:
    """And only that one."""

    async def waits() -> list[float]:
        wakeup = Wakeup()
        for _ in range(wakes):
            wakeup.wake()
        await wakeup.wait(loop.time() + 5)
        times = [loop.time()]
        await wakeup.wait(loop.time() + 5)
        return [*times, loop.time()]

    assert loop.run(waits()) == [0, 5]


def test_a_second_wake_while_a_wait_ends_is_kept_by_none(loop: VirtualLoop) -> None:
    """The task looks at what there is to do after that."""

    async def waits() -> list[float]:
        wakeup = Wakeup()
        loop.call_later(1, wakeup.wake)
        loop.call_later(1, wakeup.wake)
        await wakeup.wait()
        times = [loop.time()]
        await wakeup.wait(loop.time() + 5)
        return [*times, loop.time()]

    assert loop.run(waits()) == [1, 6]


@pytest.mark.parametrize("ends", ["done", "woken", "over"])
def test_a_wait_for_something(loop: VirtualLoop, ends: str) -> None:
    """Until it is done, it is woken, or the time is over; what was waited for is left as it is."""

    async def waits() -> float:
        wakeup = Wakeup()
        future = loop.create_future()
        if ends == "done":
            loop.call_later(1, future.set_result, None)
        elif ends == "woken":
            loop.call_later(1, wakeup.wake)
        await wakeup.wait_for(future, loop.time() + 2)
        assert future.done() is (ends == "done")
        assert not future.cancelled()
        return loop.time()

    assert loop.run(waits()) == (2 if ends == "over" else 1)


def test_a_wait_for_what_is_done_already(loop: VirtualLoop) -> None:
    """It ends at once, and the next wait is not disturbed."""

    async def waits() -> list[float]:
        wakeup = Wakeup()
        future = loop.create_future()
        future.set_result(None)
        await wakeup.wait_for(future, loop.time() + 2)
        times = [loop.time()]
        await wakeup.wait(loop.time() + 2)
        return [*times, loop.time()]

    assert loop.run(waits()) == [0, 2]


def test_a_cancelled_wait_keeps_its_wakeup(loop: VirtualLoop) -> None:
    """The next one ends at once."""

    async def waits() -> float:
        wakeup = Wakeup()
        task = asyncio.ensure_future(wakeup.wait())
        await asyncio.sleep(0)
        wakeup.wake()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await wakeup.wait(loop.time() + 2)
        return loop.time()

    assert loop.run(waits()) == 0
