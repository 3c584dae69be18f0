"""How long `connect()` with a key takes, against what it cannot do without."""

from contextlib import AsyncExitStack
from typing import Any

from benchmarks.process import started
from benchmarks.results import Table
from benchmarks.rounds import Figures, alternate, medians

__all__ = ["measure_dialling", "tables"]

_WORDS = {
    "circle_ws": "circle_ws: connect() with a key",
    "bare": "by hand: websockets.connect(), two round trips, one signature",
    "made": "circle_ws: making the options and the client",
    "opened": "by hand: websockets.connect() alone",
    "asked": "by hand: one round trip",
    "signed": "by hand: one signature",
}


async def measure_dialling(*, rounds: int, count: int) -> dict[str, Any]:
    """Dial `count` times in each round, all kinds in turn."""
    async with AsyncExitStack() as stack:
        circle = await started(stack, "native.circle")
        dialler = await started(stack, "native.dialler", url=f"ws://127.0.0.1:{circle.told['port']}/")

        async def measure(_: str) -> Figures:
            figures: Figures = await dialler.ask("dial", count=count)
            return figures

        found = await alternate(["milliseconds"], rounds, measure)
    return {"medians": medians(found)["milliseconds"], "rounds": found["milliseconds"], "count": count}


def tables(found: dict[str, Any]) -> list[Table]:
    """Show the times, and the ratio that matters."""
    times = found["medians"]
    rows = [[words, f"{times[name]:.3f}", f"{times[name] / times['bare']:.2f}"] for name, words in _WORDS.items()]
    return [Table("Connecting and signing in", ["what", "ms", "to by hand"], rows)]
