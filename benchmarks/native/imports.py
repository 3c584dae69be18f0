"""How long `import circle_ws` takes in a fresh process, against what it must load."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cores import FIRST
from benchmarks.results import Table
from benchmarks.rounds import Figures, alternate, medians

__all__ = ["measure_imports", "tables"]

_NEEDED = "asyncio, websockets.asyncio.client, msgspec"
KINDS = {"import circle_ws": "circle_ws", "what it must load": _NEEDED}
_TIMED = """
import os, time
os.sched_setaffinity(0, {{{core}}})
wall, cpu = time.perf_counter(), time.process_time()
import {modules}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
import json, sys
print(json.dumps({{"wall_ms": wall * 1000, "cpu_ms": cpu * 1000, "modules": len(sys.modules)}}))
"""
_COSTLIEST = 12


async def measure_imports(*, rounds: int) -> dict[str, Any]:
    """Import in fresh processes, in turn."""
    with TemporaryDirectory() as cache:
        return await _measure(_Python(cache), rounds)


class _Python:
    """Run Python with compiled modules as an installed package has them, wherever and however this one was started."""

    def __init__(self, cache: str) -> None:
        unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME"}
        self._environ = {name: value for name, value in os.environ.items() if name not in unwanted}
        self._environ["PYTHONPYCACHEPREFIX"] = cache

    async def run(self, *arguments: str) -> tuple[str, str]:
        """Return standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=PIPE, stderr=PIPE, env=self._environ
        )
        output, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"an import failed: {errors.decode()}")
        return output.decode(), errors.decode()


async def _measure(python: _Python, rounds: int) -> dict[str, Any]:
    async def measure(kind: str) -> Figures:
        output, _ = await python.run("-c", _TIMED.format(core=FIRST, modules=KINDS[kind]))
        figures: Figures = json.loads(output)
        return figures

    # The first time, modules are compiled.
    await alternate(list(KINDS), 1, measure)
    rows = await alternate(list(KINDS), rounds, measure)
    _, needed = await python.run("-X", "importtime", "-c", f"import {_NEEDED}")
    _, ours = await python.run("-X", "importtime", "-c", "import circle_ws")
    alone = _self_times(needed)
    added = {name: took for name, took in _self_times(ours).items() if name not in alone}
    return {
        "medians": medians(rows),
        "rounds": rows,
        "added_us": dict(Counter(added).most_common(_COSTLIEST)),
        "added_modules": len(added),
    }


def _self_times(report: str) -> dict[str, int]:
    """Read what `-X importtime` says: `import time: self [us] | cumulative | name`."""
    lines = [line.removeprefix("import time:").split("|") for line in report.splitlines() if "|" in line]
    return {name.strip(): int(own) for own, _, name in lines if own.strip().isdigit()}


def tables(found: dict[str, Any]) -> list[Table]:
    """Show the times, and which modules of those that are not needed anyway cost most."""
    figures = found["medians"]
    shown = {"wall_ms": ".1f", "cpu_ms": ".1f", "modules": ".0f"}
    rows = [[kind, *(format(one[name], form) for name, form in shown.items())] for kind, one in figures.items()]
    ours, needed = (figures[kind] for kind in KINDS)
    over = [f"{ours[name] - needed[name]:.1f}" for name in ("wall_ms", "cpu_ms")]
    rows.append(["more than it must", *over, f"{ours['modules'] - needed['modules']:.0f}"])
    costliest = [[name, f"{took / 1000:.2f}"] for name, took in found["added_us"].items()]
    note = f"It must load {_NEEDED}."
    return [
        Table("Importing, in a fresh process", ["what", "ms", "CPU (ms)", "modules"], rows, [note]),
        Table("The costliest modules that come on top", ["module", "ms by itself"], costliest),
    ]
