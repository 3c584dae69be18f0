"""Memory, set-up and idle CPU of 100, 1,000 and 5,000 clients in one process."""

from contextlib import AsyncExitStack
from typing import Any

from benchmarks.native.member import KINDS
from benchmarks.process import Child, started
from benchmarks.results import Table
from benchmarks.rounds import Figures, alternate, medians

__all__ = ["measure_crowd", "tables"]


async def measure_crowd(*, rounds: int, counts: list[int], interval: float, seconds: float) -> dict[str, Any]:
    """Measure each kind of client at each number of them, each in a fresh process.

    Args:
        rounds: How often.
        counts: How many clients.
        interval: Of the keep-alive, in seconds.
        seconds: How long the CPU is watched while they idle.
    """
    async with AsyncExitStack() as stack:
        circle = await started(stack, "native.circle")
        url = f"ws://127.0.0.1:{circle.told['port']}/"
        found: dict[str, Any] = {}
        for count in counts:

            async def measure(kind: str, count: int = count) -> Figures:
                return await measure_once(url, kind, count=count, interval=interval, seconds=seconds)

            rows = await alternate(list(KINDS), rounds, measure)
            found[str(count)] = {"medians": medians(rows), "rounds": rows}
    return {"interval": interval, "seconds": seconds, "counts": found}


async def measure_once(url: str, kind: str, **options: Any) -> Figures:
    """Measure in a fresh process."""
    child = await Child.start("native.member", url=url)
    try:
        figures: Figures = await child.ask(kind, **options)
        return figures
    finally:
        await child.stop()


def tables(found: dict[str, Any]) -> list[Table]:
    """Show what one client takes, and what all take together."""
    rows = []
    for count, section in found["counts"].items():
        figures = section["medians"]
        bare = figures["websockets"]["idle_cpu_percent"]
        for kind, one in figures.items():
            rows.append(
                [
                    f"{int(count):,} {kind}",
                    f"{one['resident_kib']:.1f}",
                    f"{one['blocks']:.0f}",
                    f"{one['objects']:.0f}",
                    f"{one['tasks']:.1f}",
                    f"{one['set_up_a_second']:,.0f}",
                    f"{one['set_up_cpu_ms']:.2f}",
                    f"{one['idle_cpu_percent']:.2f}",
                    f"{one['idle_cpu_percent'] / bare:.2f}" if bare else "-",
                ]
            )
    columns = [
        "clients",
        "KiB a client",
        "blocks",
        "objects",
        "tasks",
        "set up a second",
        "CPU for it (ms)",
        "idle CPU (%)",
        "to websockets",
    ]
    rounds = {len(one) for section in found["counts"].values() for one in section["rounds"].values()}
    note = (
        f"Keep-alive every {found['interval']:g} s, for all; the circle checks no signature. "
        f"Rounds: {', '.join(map(str, sorted(rounds)))}."
    )
    return [Table("Many clients in one process", columns, rows, [note])]
