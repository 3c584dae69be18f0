"""`bench`: how long a circle's answers take, one at a time and with many in flight; bounded, so that it floods none."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..client import CircleWsClient
from ..errors import RpcError
from ..text import hide_keys
from ..urls import shown as shown_url
from .calls import Params, decoded
from .connection import Connection, connects
from .output import Json, printable, run, show_json
from .progress import spinner

__all__ = ["Measured", "bench", "percentile"]

PING = "rpc.ping"
"""The method that heartbeats call: every published circle answers it, perhaps with an error."""
MAX_IN_FLIGHT = 256
"""What a client writes at most without an answer."""


@dataclass
class Measured:
    """The round trips of one part of the measurement, in seconds."""

    in_flight: int
    round_trips: list[float] = field(default_factory=list)
    errors: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.round_trips) / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the figures; times are in seconds."""
        times = {f"p{part}": percentile(self.round_trips, part) for part in (50, 95, 99)}
        figures = {"in_flight": self.in_flight, "calls": len(self.round_trips), "errors": self.errors}
        return {**figures, "seconds": self.seconds, "calls_per_second": self.rate, **times}


def percentile(values: Sequence[float], part: int) -> float | None:
    """Return the value that `part` per cent of the values do not exceed (nearest rank); None without values."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * part // 100) - 1] if ordered else None


@connects
def bench(
    connection: Connection,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="What is called.")] = PING,
    params: Params = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, metavar="SECONDS", help="End after this time.")] = 5.0,
    calls: Annotated[int, typer.Option(min=2, metavar="N", help="End after this many calls.")] = 2_000,
    in_flight: Annotated[
        int, typer.Option(min=1, max=MAX_IN_FLIGHT, metavar="N", help="How many at once, in the second half.")
    ] = 16,
    as_json: Json = False,
) -> None:
    """Measure round trips, first one at a time, then with several in flight. It loads the circle, within bounds."""
    asked = decoded(params, connection)
    client = connection.builder().build()
    figures = run(_measure(client, method, asked, seconds, calls, in_flight))
    figures = {"url": shown_url(connection.url), "method": hide_keys(method), **figures}
    if as_json:
        show_json(figures)
    else:
        _print(figures)


async def _measure(
    client: CircleWsClient, method: str, params: Any, seconds: float, calls: int, in_flight: int
) -> dict[str, Any]:
    words = f"up to {calls:,} calls of {method}, at most {in_flight} at once, for up to {seconds:g} s"
    typer.echo(printable(hide_keys(f"this loads the circle: {words}")), err=True)
    with spinner("measuring"):
        started = time.perf_counter()
        async with client:
            connected = time.perf_counter() - started
            # The first call shows whether the method works at all, and is not counted.
            answers = await _first(client, method, params)
            before = client.stats
            alone = await _part(client, method, params, Measured(1), seconds / 2, calls // 2)
            left = calls - len(alone.round_trips)
            together = await _part(client, method, params, Measured(in_flight), seconds / 2, left)
            after = client.stats
    done = len(alone.round_trips) + len(together.round_trips)
    return {
        "answers": answers,
        "connect": connected,
        "alone": alone.as_json(),
        "together": together.as_json(),
        "bytes_out": after.bytes_out - before.bytes_out,
        "bytes_in": after.bytes_in - before.bytes_in,
        "calls": done,
    }


async def _first(client: CircleWsClient, method: str, params: Any) -> str:
    """Return how the circle answers: `result`, or to a ping that it does not know, which is as good, `error`."""
    try:
        await client.call(method, params)
    except RpcError:
        if method != PING:
            raise
        return "error"
    return "result"


async def _part(
    client: CircleWsClient, method: str, params: Any, measured: Measured, seconds: float, calls: int
) -> Measured:
    """Call over and over until the time is over or the calls are made."""
    started = time.perf_counter()
    left = calls

    async def work() -> None:
        nonlocal left
        while left > 0 and (begun := time.perf_counter()) - started < seconds:
            left -= 1
            try:
                await client.call(method, params)
            except RpcError:
                measured.errors += 1
            measured.round_trips.append(time.perf_counter() - begun)

    await asyncio.gather(*(work() for _ in range(measured.in_flight)))
    measured.seconds = time.perf_counter() - started
    return measured


def _print(figures: dict[str, Any]) -> None:
    table = Table(title=Text(printable(f"{figures['method']} at {figures['url']}")))
    for name in ("in flight", "calls", "a second", "p50", "p95", "p99"):
        table.add_column(name, justify="right")
    for part in (figures["alone"], figures["together"]):
        times = ("-" if part[name] is None else f"{part[name] * 1000:.2f} ms" for name in ("p50", "p95", "p99"))
        table.add_row(str(part["in_flight"]), f"{part['calls']:,}", f"{part['calls_per_second']:,.0f}", *times)
    errors = figures["alone"]["errors"] + figures["together"]["errors"]
    console = Console(highlight=False)
    console.print(table)
    console.print(f"connected and signed in in {figures['connect'] * 1000:.1f} ms")
    calls = max(figures["calls"], 1)
    size = f"{figures['bytes_out'] / calls:,.0f} bytes out and {figures['bytes_in'] / calls:,.0f} bytes in"
    console.print(f"{size} for each call")
    if errors:
        console.print(f"{errors:,} of the answers were errors")
