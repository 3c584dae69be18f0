"""How these tests run `circle-ws`: in this process where that shows enough, as a process where it must be one."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.testing import CliRunner, Result

from circle_ws.cli.app import app
from circle_ws.cli.demo.circle import running_circle
from circle_ws.server import CircleServer
from tests.support.limits import PATIENCE

__all__ = ["circle_in_thread", "environ", "invoke", "start"]


def invoke(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    """Run a command in this process; the runner's environment holds no key but the one given."""
    told = {"CIRCLE_WS_PRIVATE_KEY": None, **(env or {})}
    return CliRunner().invoke(app, list(arguments), input=stdin, env=told)


def environ(**more: str) -> dict[str, str]:
    """Return this process's environment without a key, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if name != "CIRCLE_WS_PRIVATE_KEY"}
    return {**kept, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", **more}


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a command as a process of its own."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "circle_ws", *arguments]
    return subprocess.Popen(command, text=True, **{"env": environ(), **pipes, **options})


@contextmanager
def circle_in_thread(**options: Any) -> Iterator[CircleServer]:
    """Run the circle of `serve` and `demo` on a loop of its own, so that a command here can call it."""
    started: list[tuple[CircleServer, asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    async def serve() -> None:
        try:
            async with running_circle(**options) as circle:
                ended = asyncio.Event()
                started.append((circle, asyncio.get_running_loop(), ended))
                ready.set()
                await ended.wait()
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="circle")
    thread.start()
    ready.wait(PATIENCE)
    circle, loop, ended = started[0]
    try:
        yield circle
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
