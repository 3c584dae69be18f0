"""Measure the native client and print tables; with `--out DIR` also write native.json, native.md and pictures.

`python -m benchmarks.native --out docs/benchmarks`; `--small` takes under a minute; `--only calls` does one part.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.native import calls, crowd, dialling, flood, imports
from benchmarks.results import Table, merge_json, plain

_SMALL_ROUNDS, _SMALL_SHARE = 1, 0.3


async def _calls(options: argparse.Namespace) -> dict[str, Any]:
    chosen = {name: words.split(",") for name in ("clients", "loads") if (words := getattr(options, name))}
    return await calls.measure_calls(rounds=options.rounds, share=options.share, **chosen)


async def _dialling(options: argparse.Namespace) -> dict[str, Any]:
    return await dialling.measure_dialling(rounds=options.rounds, count=20 if options.small else 60)


async def _crowd(options: argparse.Namespace) -> dict[str, Any]:
    counts = [50] if options.small else [int(count) for count in options.counts.split(",")]
    interval, seconds = (1.0, 1.0) if options.small else (2.0, 4.0)
    return await crowd.measure_crowd(rounds=options.rounds, counts=counts, interval=interval, seconds=seconds)


async def _flood(options: argparse.Namespace) -> dict[str, Any]:
    return await flood.measure_flood(rounds=options.rounds, count=5_000 if options.small else 30_000)


async def _imports(options: argparse.Namespace) -> dict[str, Any]:
    return await imports.measure_imports(rounds=options.rounds if options.small else 3 * options.rounds)


SECTIONS: dict[str, tuple[Callable[[argparse.Namespace], Awaitable[Any]], Callable[[Any], list[Table]]]] = {
    "calls": (_calls, calls.tables),
    "dialling": (_dialling, dialling.tables),
    "crowd": (_crowd, crowd.tables),
    "flood": (_flood, flood.tables),
    "imports": (_imports, imports.tables),
}
"""What there is to measure: how, and how it is shown."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.native", description=__doc__)
    parser.add_argument("--out", type=Path, help="the folder for native.json, native.md and the pictures")
    parser.add_argument("--small", action="store_true", help="one short round of each: does it work at all?")
    parser.add_argument("--rounds", type=int, help="how often each is measured; 5 by default")
    parser.add_argument("--only", default="", help=f"these parts, with commas: {', '.join(SECTIONS)}")
    parser.add_argument("--clients", default="", help="for the part calls, with commas")
    parser.add_argument("--loads", default="", help="for the part calls, with commas: one, many, plain, items")
    parser.add_argument("--counts", default="100,1000,5000", help="for the part crowd, with commas: how many clients")
    options = parser.parse_args()
    options.share = _SMALL_SHARE if options.small else 1.0
    options.rounds = options.rounds or (_SMALL_ROUNDS if options.small else 5)
    return options


async def _run(options: argparse.Namespace) -> None:
    for name in options.only.split(",") if options.only else SECTIONS:
        measure, show = SECTIONS[name]
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = await measure(options)
        shown = show(found)
        print("\n".join(plain(table) for table in shown), flush=True)
        if options.out:
            section = {"rounds": options.rounds, "found": found}
            merge_json(options.out / "native.json", {name: section})


if __name__ == "__main__":
    asyncio.run(_run(_options()))
