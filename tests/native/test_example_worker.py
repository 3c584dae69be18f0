"""Proves that the example worker survives what it says it survives, and ends as a worker should."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from circle_ws.auth import KeyPair, derive_public_key, generate_private_key
from circle_ws.cli.demo.circle import running_circle
from tests.native.command_line import environ
from tests.support.limits import PATIENCE

WORKER = Path(__file__).parents[2] / "examples" / "worker" / "worker.py"


class _Worker:
    """The running worker, and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log = ""

    async def says(self, pattern: str) -> None:
        """Wait for a line, from where the last wait ended."""
        assert self._process.stderr
        while line := (await asyncio.wait_for(self._process.stderr.readline(), PATIENCE)).decode():
            self.log += line
            if re.search(pattern, line):
                return
        raise AssertionError(f"it never said {pattern!r}:\n{self.log}")

    async def ends(self, number: signal.Signals | None = None) -> int:
        """End it, or wait for its end; give the exit code."""
        if number is not None:
            self._process.send_signal(number)
        self.log += (await asyncio.wait_for(self._process.communicate(), PATIENCE))[1].decode()
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def _running(url: str) -> AsyncIterator[_Worker]:
    key = generate_private_key()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(WORKER),
        env=environ(CIRCLE_URL=url, CIRCLE_WS_PRIVATE_KEY=key),
        stderr=asyncio.subprocess.PIPE,
    )
    worker = _Worker(process)
    try:
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        assert key not in worker.log
        assert derive_public_key(key) not in worker.log


async def test_it_works_and_ends_on_sigterm() -> None:
    async with running_circle() as circle, _running(circle.url) as worker:
        await worker.says("40 \\+ 2 is 42")
        await worker.says("tick {'n': ")
        assert await worker.ends(signal.SIGTERM) == 0
        assert "closed" in worker.log
        assert "Traceback" not in worker.log


async def test_it_survives_a_restart_of_the_circle() -> None:
    async with running_circle() as circle, _running(circle.url) as worker:
        await worker.says("tick")
        await circle.stop()
        await worker.says("waiting")
        await circle.start()
        await worker.says("connected")
        await worker.says("tick")
        assert await worker.ends(signal.SIGTERM) == 0


async def test_it_may_be_started_before_the_circle() -> None:
    async with running_circle() as circle:
        await circle.stop()
        async with _running(circle.url) as worker:
            await worker.says("waiting")
            await circle.start()
            await worker.says("tick")
            assert await worker.ends(signal.SIGINT) == 0


async def test_it_can_be_ended_while_it_waits() -> None:
    async with running_circle() as circle:
        await circle.stop()
        async with _running(circle.url) as worker:
            await worker.says("waiting")
            assert await worker.ends(signal.SIGTERM) == 0
            assert "Traceback" not in worker.log


async def test_what_cannot_be_mended_ends_it() -> None:
    keys = [KeyPair.generate().public_key]
    async with running_circle(keys=keys) as circle, _running(circle.url) as worker:
        assert await worker.ends() == 1
        assert "the circle cannot be used" in worker.log
        assert "Traceback" not in worker.log
