"""The circle of `serve` and `demo`: arithmetic, an echo, a tick every second, and a way to be dropped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from ..server import CircleServer, Connection
from ..server.rules import ServedDialect, ServedParams
from .arithmetic import evaluate

__all__ = ["GOING_AWAY", "ServedDialect", "ServedParams", "running_circle"]

GOING_AWAY = 1001
TICK = 1.0
"""Seconds between two ticks."""


@asynccontextmanager
async def running_circle(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    dialect: ServedDialect = "hero-0.2",
    params: ServedParams = "any",
    keys: Sequence[str] | None = None,
    public_url: str | None = None,
    play: Callable[[str], Any] = evaluate,
) -> AsyncIterator[CircleServer]:
    """Run the circle for the length of a block."""
    circle = CircleServer(host, port, dialect=dialect, params=params, keys=keys, public_url=public_url, play=play)
    circle.method("echo")(_echo)
    circle.method("drop")(_drop)
    async with circle:
        ticking = asyncio.create_task(_tick(circle))
        try:
            yield circle
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking


def _echo(value: Any) -> Any:
    return value


async def _drop(connection: Connection) -> None:
    await connection.close(GOING_AWAY, "dropped on request")


async def _tick(circle: CircleServer) -> None:
    number = 0
    while True:
        await asyncio.sleep(TICK)
        number += 1
        circle.publish("tick", {"n": number})
