"""Virtual time: what is waited for takes none, and passes exactly; the same on a page's loop, which is not ours."""

import asyncio
import threading

import pytest

from circle_ws import Backoff, CallTimeout, CircleWsClient, ConnectionFailed, Gap, KeepAlive, StatusChange
from circle_ws.status import ConnectionStatus as Status
from circle_ws.testing import Circle, virtual_time
from tests.support.outcomes import later


async def test_sleeping_is_exact() -> None:
    """Sleeps, timers and timeouts of any length are over at once, in their order and at their time."""
    order: list[str] = []
    async with virtual_time() as clock:
        loop = asyncio.get_running_loop()
        loop.call_later(3, order.append, "three")
        loop.call_at(loop.time() + 2, order.append, "two")
        loop.call_later(1, order.append, "cancelled").cancel()
        loop.call_soon(order.append, "now")
        await asyncio.sleep(1800.5)
        assert clock.elapsed == 1800.5
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.25):
                await loop.create_future()
        assert clock.elapsed == 1800.75
        done, running = await asyncio.wait([asyncio.ensure_future(asyncio.sleep(9))], timeout=1)
        assert not done
        running.pop().cancel()
    assert order == ["now", "two", "three"]


async def test_time_stands_still_while_anything_runs() -> None:
    """However many turns of the loop it takes."""
    async with virtual_time() as clock:
        timer = later(asyncio.sleep(1))
        for _ in range(100):
            await asyncio.sleep(0)
        assert clock.elapsed == 0
        await timer
        assert clock.elapsed == 1


async def test_what_was_cancelled_is_not_run() -> None:
    """And does not hold up time."""
    async with virtual_time() as clock:
        asyncio.get_running_loop().call_soon(pytest.fail).cancel()
        await asyncio.sleep(5)
        assert clock.elapsed == 5


@pytest.mark.native_only("a page has no threads")
async def test_a_timer_that_is_set_from_outside() -> None:
    """While nothing is left to do, another thread may have the loop set one; time passes to it."""
    loop = asyncio.get_running_loop()
    async with virtual_time() as clock:
        done = loop.create_future()
        thread = threading.Timer(0.01, loop.call_soon_threadsafe, [loop.call_later, 7, done.set_result, None])
        thread.start()
        await done
        assert clock.elapsed == 7
        thread.join()


async def test_the_loop_is_as_before_afterwards() -> None:
    """Its methods are its own, and a timer that is left over waits for what is left of its time."""
    loop = asyncio.get_running_loop()
    before = {name for name in vars(loop) if name in ("time", "call_soon", "call_at", "call_later")}
    async with virtual_time():
        left = later(asyncio.sleep(10.01))
        gone = loop.call_later(11, pytest.fail)
        await asyncio.sleep(10)
        gone.cancel()
    assert not before & set(vars(loop))
    assert not {"time", "call_soon", "call_at", "call_later"} & set(vars(loop))
    assert not left.done()
    await left


async def test_timers_of_before_keep_real_time() -> None:
    """So the limit around a test is one of real time, and ends a block that waits for nothing that comes."""
    loop = asyncio.get_running_loop()
    soon = asyncio.Event()
    late = loop.call_later(600, pytest.fail)
    async with virtual_time() as clock:
        await asyncio.sleep(1200)
    late.cancel()
    loop.call_later(0.01, soon.set)
    async with virtual_time() as clock:
        await soon.wait()
        assert clock.elapsed == 0


async def test_a_block_inside_of_another() -> None:
    """It is refused, and the outer one goes on."""
    async with virtual_time() as clock:
        with pytest.raises(RuntimeError, match="one block is enough"):
            async with virtual_time():
                pass
        await asyncio.sleep(5)
        assert clock.elapsed == 5


async def test_what_never_comes_fails() -> None:
    """Heartbeats would let time pass for ever; the limit says that nothing else happens."""
    circle = Circle(sign_in=False)
    with pytest.raises(AssertionError, match="never comes"):
        async with virtual_time(limit=600), circle.connect() as client:
            await client.call("rpc.ping")
            await asyncio.get_running_loop().create_future()


async def test_back_offs_are_exact_and_the_same() -> None:
    """A seeded back-off gives the same delays in every run, and they pass exactly."""

    async def delays() -> tuple[list[float | None], float]:
        circle = Circle(sign_in=False)
        async with virtual_time() as clock, circle.connect(backoff=Backoff(seed=7)) as client:
            waits: list[float | None] = []
            client.on_status(lambda change: waits.append(change.retry_in) if change.status is Status.WAITING else None)
            circle.refuse(4)
            await circle.drop()
            await client.wait_until_connected()
            return waits, clock.elapsed

    waits, elapsed = await delays()
    assert len(waits) == 5
    assert elapsed == pytest.approx(sum(delay or 0 for delay in waits))
    assert elapsed > 2
    assert await delays() == (waits, elapsed)


async def test_time_outs_are_exact() -> None:
    """Of an attempt and of a call, with the defaults of a program."""
    circle = Circle(sign_in=False)
    async with virtual_time() as clock, circle.connect(keepalive=None) as client:
        circle.hang()
        with pytest.raises(CallTimeout):
            await client.call("add", [1, 2])
        assert clock.elapsed == 30
        with pytest.raises(ConnectionFailed, match="open_timeout"):
            await circle.connect()
        assert clock.elapsed == 40


async def test_delays_of_a_circle_are_exact() -> None:
    """A late answer takes as long as it was told to."""
    circle = Circle(sign_in=False, play=str)
    circle.delay("play", 12.5)
    async with virtual_time() as clock, circle.connect() as client:
        assert await client.play("x") == "x"
        assert clock.elapsed == 12.5


async def test_a_dead_circle_is_noticed_in_its_time() -> None:
    """Heartbeats and the gap that a listener is told of follow the same clock."""
    circle = Circle(sign_in=False)
    keepalive = KeepAlive(interval=10, timeout=5, mode="rpc")
    async with (
        virtual_time() as clock,
        circle.connect(keepalive=keepalive) as client,
        client.notifications("news", gaps=True) as news,
    ):
        connected = await changed(client, Status.CONNECTED)
        circle.hang()
        lost = await changed(client, Status.WAITING)
        assert clock.elapsed == 15
        assert lost.at - connected.at == 15
        circle.refuse(3)
        circle.resume()
        await client.wait_until_connected()
        circle.publish("news")
        gap = await anext(news)
        assert isinstance(gap, Gap)
        assert gap.downtime == pytest.approx(clock.elapsed - 15, abs=1e-3)


async def changed(client: CircleWsClient, status: Status) -> StatusChange:
    """Wait until the client has this status."""
    async for change in client.status_changes():
        if change.status is status:
            return change
    raise AssertionError("the client was closed")
