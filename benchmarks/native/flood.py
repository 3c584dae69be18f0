"""How many notifications a second come through when they are pushed at full speed."""

from contextlib import AsyncExitStack
from typing import Any

from benchmarks.native.listener import KINDS
from benchmarks.process import started
from benchmarks.results import Table
from benchmarks.rounds import Figures, alternate, medians

__all__ = ["measure_flood", "tables"]


async def measure_flood(*, rounds: int, count: int) -> dict[str, Any]:
    """Push `count` notifications to each kind of listener, in a process of its own."""
    async with AsyncExitStack() as stack:
        circle = await started(stack, "native.circle")
        url = f"ws://127.0.0.1:{circle.told['port']}/"
        listeners = {kind: await started(stack, "native.listener", url=url) for kind in KINDS}

        async def measure(kind: str) -> Figures:
            figures: Figures = await listeners[kind].ask(kind, count=count)
            return figures

        rows = await alternate(list(KINDS), rounds, measure)
    return {"count": count, "medians": medians(rows), "rounds": rows}


def tables(found: dict[str, Any]) -> list[Table]:
    """Show the rates."""
    figures = found["medians"]
    base = figures["websockets + json"]["a_second"]
    rows = [[kind, *_shown(one, base)] for kind, one in figures.items()]
    columns = ["listener", "notifications/s", "to json loop", "CPU each (us)", "dropped"]
    return [Table(f"{found['count']:,} notifications at full speed", columns, rows)]


def _shown(one: Figures, base: float) -> list[str]:
    rate, cpu, lost = one["a_second"], one["cpu_us_each"], one["lost"]
    return [f"{rate:,.0f}", f"{rate / base:.2f}", f"{cpu:.1f}", f"{lost:,.0f}"]
