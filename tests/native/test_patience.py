"""The harness ends a run that is silent, and never one that only takes long."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from benchmarks.native.caller import _drive
from circle_ws.testing.pyodide.patience import Patience
from tests.support.virtual import VirtualLoop


@pytest.fixture
def loop() -> Generator[VirtualLoop]:
    it = VirtualLoop()
    yield it
    it.close()


def test_what_is_heard_of_may_take_as_long_as_it_likes(loop: VirtualLoop) -> None:
    """A run of an hour ends well where something is heard every nine minutes; the limit is ten."""

    async def run() -> bool:
        patience = Patience(600)
        result = loop.create_future()
        for minutes in range(9, 60, 9):
            loop.call_later(60 * minutes, patience.hear)
        loop.call_later(3600, result.set_result, 0)
        return await patience.wait(result, loop.create_future())

    assert loop.run(run(), limit=7200) is True
    assert loop.time() == 3600


def test_silence_ends_it(loop: VirtualLoop) -> None:
    """Ten minutes after the last that was heard it is given up."""

    async def run() -> bool:
        patience = Patience(600)
        loop.call_later(100, patience.hear)
        return await patience.wait(loop.create_future())

    assert loop.run(run()) is False
    assert round(loop.time()) == 700


async def test_each_caller_calls_once_however_slow_the_machine() -> None:
    """Where the time is over before the first call, each of them has made one, so that there is a figure."""

    async def call(method: str) -> Any:
        await asyncio.sleep(0)

    assert len(await _drive(call, "echo", 1, -1.0)) == 1
    assert len(await _drive(call, "echo", 7, -1.0)) == 7
