"""Virtual time where other event loops and threads are."""

import asyncio
import threading
import time
from typing import Any

import pytest

from circle_ws import UnsupportedRuntime
from circle_ws.engine import clock as engine_clock
from circle_ws.testing import Circle, virtual_time


class Foreign(asyncio.SelectorEventLoop):
    """A loop that is made outside of Python, such as uvloop's, whose methods cannot be replaced."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("time", "call_soon", "call_at", "call_later"):
            raise AttributeError(f"{name} is read-only")
        super().__setattr__(name, value)


def test_a_foreign_loop_is_refused() -> None:
    """In words that name it, and it stays as it was."""

    async def main() -> None:
        with pytest.raises(UnsupportedRuntime, match=r"the running one is .*\.Foreign"):
            async with virtual_time():
                pass
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=Foreign) as runner:
        runner.run(main())


async def test_other_threads_keep_their_time() -> None:
    """The clocks of a block are those of its own loop alone."""
    before = time.time()
    async with virtual_time():
        await asyncio.sleep(3000)
        assert engine_clock.wall_time() - before > 2990
        assert await asyncio.to_thread(lambda: engine_clock.wall_time() - before) < 2990


async def test_two_kinds_of_clients() -> None:
    """One circle serves an async client here and a blocking one in another thread, and orders reach both."""
    circle = Circle()
    circle.method("add")(lambda a, b: a + b)
    listening, dropped = threading.Event(), threading.Event()

    def block() -> list[Any]:
        with circle.connect_sync() as client, client.notifications("news") as news:
            listening.set()
            got = [news.get(), client.call("add", [1, 2])]
            dropped.wait()
            return [*got, client.call("add", [2, 2])]

    blocking = asyncio.ensure_future(asyncio.to_thread(block))
    await asyncio.to_thread(listening.wait)
    async with circle.connect() as client, client.notifications("news") as news:
        circle.hang()
        assert circle.publish("news", [1]) == 2
        await circle.resume()
        assert await anext(news) == [1]
        await circle.received("add")
        await circle.drop()
        dropped.set()
        assert await client.call("add", [3, 3]) == 6
    assert await blocking == [[1], 3, 4]
