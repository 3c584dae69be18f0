"""What the tests of this folder share: a circle behind a faulty network, the story of a client's status, a clock."""

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

from circle_ws import CircleWsClient, ConnectionFailed, ConnectionStatus, StatusChange
from tests.support.peers import Peers, RemotePeer

__all__ = ["IN_BROWSER", "LONG", "NONCE", "Story", "Wall", "behind_faults", "http", "timed"]

IN_BROWSER = sys.platform == "emscripten"
NONCE = {"result": "nonce_1234567890_abcdef"}
LONG = 30.0
"""A time that no test waits for, in seconds."""


async def behind_faults(peers: Peers, kind: str = "circle", **options: Any) -> tuple[RemotePeer, RemotePeer]:
    """Start a server and a faulty network before it."""
    server = await peers.start(kind, **options)
    return server, await peers.start("fault_proxy", target=server.url)


def http(status: int, **headers: str) -> str:
    """Write an HTTP response that ends the connection."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} No", *lines, "Content-Length: 0", "Connection: close", "", ""])


class Story:
    """The changes of a client's status, in order, from the moment this is made."""

    def __init__(self, client: CircleWsClient) -> None:
        self._changes = client.status_changes()

    async def until(self, status: ConnectionStatus) -> StatusChange:
        """Go on to the next change to this status."""
        async for change in self._changes:
            if change.status is status and change.previous is not status:
                return change
        raise AssertionError(f"the client was closed before it was {status}")

    async def failed_in(self, phase: str) -> ConnectionFailed:
        """Go on to the next attempt that failed in this phase; on a busy machine one may fail in an earlier one."""
        while True:
            cause = (await self.until(ConnectionStatus.WAITING)).cause
            if isinstance(cause, ConnectionFailed) and cause.phase == phase:
                return cause

    async def waits(self, count: int) -> list[StatusChange]:
        """Go on over so many changes to WAITING."""
        return [await self.until(ConnectionStatus.WAITING) for _ in range(count)]


class Wall:
    """The wall clock of the client, which can be put forward and back; peers have their own."""

    def __init__(self, real: Callable[[], float]) -> None:
        self._real = real
        self._thread = threading.current_thread()
        self.ahead = 0.0
        """In seconds."""

    def __call__(self) -> float:
        here = threading.current_thread() is self._thread
        return self._real() + (self.ahead if here else 0.0)


async def timed(awaitable: Any) -> float:
    """Await it and give the seconds that took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    await awaitable
    return loop.time() - started
