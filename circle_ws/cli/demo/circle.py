"""The circle of `serve` and `demo`: arithmetic, an echo, ticks, a request to the caller, and a dropped connection."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from ...errors import CircleWsError, RpcError
from ...jsonrpc.messages import EXECUTION_FAILED, INVALID_PARAMS
from ...server import CircleServer, Connection
from ...server.rules import ServedDialect, ServedParams
from .arithmetic import evaluate

__all__ = ["GOING_AWAY", "ServedDialect", "ServedParams", "running_circle"]

GOING_AWAY = 1001
TICK = 1.0
"""Seconds between two ticks."""
MOST_TICKS = 1000
"""Maximum number of ticks for one request."""
_METHODS = {
    "play": ("Compute an arithmetic expression", ["script"]),
    "echo": ("Answer what was given", ["value"]),
    "whoami": ("Tell the caller's public key", []),
    "ask_back": ("Ask the caller to describe a topic, and answer what it says", ["topic"]),
    "tick": ("Push ticks to the caller", ["count"]),
    "drop": ("Close the caller's connection, in place of an answer", []),
}
"""What `rpc.discover` tells: by name, what a method does and the names of its params."""


@asynccontextmanager
async def running_circle(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    dialect: ServedDialect = "hero-0.2",
    params: ServedParams = "any",
    keys: Sequence[str] | None = None,
    public_url: str | None = None,
    origins: Sequence[str | None] | None = None,
    play: Callable[[str], Any] = evaluate,
) -> AsyncIterator[CircleServer]:
    """Run the circle for the length of a block."""
    circle = CircleServer(
        host, port, dialect=dialect, params=params, keys=keys, public_url=public_url, origins=origins, play=play
    )
    circle.method("echo")(_echo)
    circle.method("ask_back")(_ask_back)
    circle.method("tick")(_tick_at_once)
    circle.method("drop")(_drop)
    circle.method("rpc.discover")(_discover)
    async with circle:
        ticking = asyncio.create_task(_tick_on(circle))
        try:
            yield circle
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking


def _discover() -> Any:
    """Describe the methods, as OpenRPC asks of a service."""
    methods = [
        {"name": name, "summary": summary, "params": [{"name": param, "schema": {}} for param in params]}
        for name, (summary, params) in _METHODS.items()
    ]
    return {"openrpc": "1.3.2", "info": {"title": "The demo's circle", "version": "1"}, "methods": methods}


def _echo(value: Any) -> Any:
    return value


async def _drop(connection: Connection) -> None:
    await connection.close(GOING_AWAY, "dropped on request")


async def _ask_back(connection: Connection, topic: str) -> Any:
    """Ask the caller to describe a topic, and answer what it says."""
    try:
        return await connection.call("describe", [topic])
    except RpcError:
        raise
    except CircleWsError as error:
        # What a client does not answer, or not well, is no fault of this circle's that its terminal must show.
        raise RpcError(EXECUTION_FAILED, f"execution failed: {error}") from error


def _tick_at_once(connection: Connection, count: int = 1) -> None:
    """Push `count` ticks to the caller, before the answer."""
    if not 0 <= count <= MOST_TICKS:
        raise RpcError(INVALID_PARAMS, f"invalid params: count is a whole number up to {MOST_TICKS}")
    for number in range(count):
        connection.notify("tick", {"n": number})


async def _tick_on(circle: CircleServer) -> None:
    number = 0
    while True:
        await asyncio.sleep(TICK)
        number += 1
        circle.publish("tick", {"n": number})
