"""Proves that the example service survives what it says it survives, and ends as a service should."""

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

SERVICE = Path(__file__).parents[2] / "examples" / "service" / "service.py"


class _Service:
    """The running service, and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log = ""

    async def says(self, pattern: str) -> None:
        """Wait for a line, from where the last wait ended."""
        assert self._process.stderr
        while line := (await asyncio.wait_for(self._process.stderr.readline(), 20)).decode():
            self.log += line
            if re.search(pattern, line):
                return
        raise AssertionError(f"it never said {pattern!r}:\n{self.log}")

    async def ends(self, number: signal.Signals | None = None) -> int:
        """End it, or wait for its end; give the exit code."""
        if number is not None:
            self._process.send_signal(number)
        self.log += (await asyncio.wait_for(self._process.communicate(), 20))[1].decode()
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def _running(url: str) -> AsyncIterator[_Service]:
    key = generate_private_key()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SERVICE),
        env=environ(CIRCLE_URL=url, CIRCLE_WS_PRIVATE_KEY=key),
        stderr=asyncio.subprocess.PIPE,
    )
    service = _Service(process)
    try:
        yield service
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        assert key not in service.log
        assert derive_public_key(key) not in service.log


async def test_it_works_and_ends_on_sigterm() -> None:
    async with running_circle() as circle, _running(circle.url) as service:
        await service.says("40 \\+ 2 is 42")
        await service.says("tick {'n': ")
        assert await service.ends(signal.SIGTERM) == 0
        assert "closed" in service.log
        assert "Traceback" not in service.log


async def test_it_survives_a_restart_of_the_circle() -> None:
    async with running_circle() as circle, _running(circle.url) as service:
        await service.says("tick")
        await circle.stop()
        await service.says("waiting")
        await circle.start()
        await service.says("connected")
        await service.says("tick")
        assert await service.ends(signal.SIGTERM) == 0


async def test_it_may_be_started_before_the_circle() -> None:
    async with running_circle() as circle:
        await circle.stop()
        async with _running(circle.url) as service:
            await service.says("waiting")
            await circle.start()
            await service.says("tick")
            assert await service.ends(signal.SIGINT) == 0


async def test_it_can_be_ended_while_it_waits() -> None:
    async with running_circle() as circle:
        await circle.stop()
        async with _running(circle.url) as service:
            await service.says("waiting")
            assert await service.ends(signal.SIGTERM) == 0
            assert "Traceback" not in service.log


async def test_what_cannot_be_mended_ends_it() -> None:
    keys = [KeyPair.generate().public_key]
    async with running_circle(keys=keys) as circle, _running(circle.url) as service:
        assert await service.ends() == 1
        assert "the circle cannot be used" in service.log
        assert "Traceback" not in service.log
