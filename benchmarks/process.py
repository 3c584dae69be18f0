"""A helper process, and how one talks with it: a line of JSON each way, over its standard input and output."""

import asyncio
import json
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

__all__ = ["Child", "answer_lines", "raise_file_limit", "started"]

_LARGEST_LINE = 256 * 1024 * 1024
_PATIENCE = 10.0


class Child:
    """One running process of a module of this package.

    Attributes:
        told: What it said first, such as the port it listens on.
    """

    def __init__(self, process: asyncio.subprocess.Process, told: dict[str, Any]) -> None:
        self._process = process
        self.told = told

    @classmethod
    async def start(cls, module: str, **options: Any) -> "Child":
        """Start `python -m benchmarks.<module>` with these options and wait for its first line."""
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"benchmarks.{module}",
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LARGEST_LINE,
        )
        child = cls(process, {})
        child.told = await child._read()
        return child

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    async def ask(self, name: str, **arguments: Any) -> Any:
        """Ask it something and return its answer, a JSON value."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"ask": name, **arguments}).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._read()

    async def stop(self) -> None:
        """End it by closing its standard input."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once, as when the machine loses power: nothing is said to anybody."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def _read(self) -> Any:
        assert self._process.stdout
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process {self.pid} ended before it answered; what it printed says why")
        return json.loads(line)


async def started(stack: AsyncExitStack, module: str, **options: Any) -> Child:
    """Start a process that ends with `stack`; the options are those of `Child.start`."""
    child = await Child.start(module, **options)
    stack.push_async_callback(child.stop)
    return child


async def answer_lines(told: dict[str, Any], answer: Callable[..., Awaitable[Any]]) -> None:
    """Print `told`, then answer every line of standard input with `answer(**line)`, until it ends."""
    _say(told)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        _say(await answer(**json.loads(line)))


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def raise_file_limit() -> int:
    """Raise the limit of open files of this process to its maximum, and return it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
