"""Many clients and one circle behind a proxy that breaks connections at random: the fate of calls, and memory.

`python -m benchmarks.soak --seconds 60 --clients 40 --rate 2500`; with `--out DIR` it writes `soak.json` and, where
matplotlib is there, `soak.svg`. The exit code is 1 when a call hung, ran twice, or something was left behind.
"""

import argparse
import asyncio
import base64
import gc
import json
import random
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.customers import TIMEOUT, Customer, Fate, Tally
from benchmarks.gauges import Sample, sample, slope, versions
from benchmarks.process import Child

GRACE = 2.0
"""A call that has not ended so long after its time counts as one that hangs, in seconds."""
WARM_UP = 0.2
"""So much of the run does not count for what grows."""
MOST_RUNS = {False: 1, True: 4}
"""How often a call may run, by whether it was declared idempotent."""
_LEFTOVERS = ("CircleWsClient", "Supervisor", "Session", "SendQueue", "PendingCall", "NativeTransport", "Connection")

_MUST_NOT_BE = (
    "hung",
    "wrong results",
    "plain calls run twice",
    "idempotent calls run too often",
    "results of calls that did not run",
    "calls run that were said not to have run",
    "left in memory",
    "tasks left",
    "files left",
)


class Soak:
    """Do one run.

    Args:
        seconds: How long clients work.
        clients: How many there are at a time.
        rate: Calls a second, over all clients.
        lifetime: Of a connection on average, in seconds.
        seed: For the randomness.
    """

    def __init__(self, *, seconds: float, clients: int, rate: float, lifetime: float, seed: int) -> None:
        self.settings = {"seconds": seconds, "clients": clients, "rate": rate, "lifetime": lifetime, "seed": seed}
        self.tally = Tally()
        self.samples: list[Sample] = []
        self.hung: set[tuple[int, int]] = set()
        self._began = 0.0

    async def run(self) -> dict[str, Any]:
        """Run, and give what came of it."""
        settings = self.settings
        self._began = time.monotonic()
        before = sample(self._began, 0, 0, 0.0)
        circle = await Child.start("circle")
        proxy = await Child.start(
            "proxy", target=circle.told["port"], lifetime=settings["lifetime"], seed=int(settings["seed"])
        )
        self._began = time.monotonic()
        await self._work(f"ws://127.0.0.1:{proxy.told['port']}/")
        fates = await proxy.ask("fates")
        await proxy.stop()
        pages = await circle.ask("ledger")
        await circle.stop()
        return self._result(before, fates, pages)

    async def _work(self, url: str) -> None:
        settings = self.settings
        rng = random.Random(settings["seed"])
        count = int(settings["clients"])
        customers = [
            Customer(number, url, self.tally, settings["rate"] / count, random.Random(rng.random()))
            for number in range(count)
        ]
        lives = [asyncio.create_task(customer.live()) for customer in customers]
        watching = asyncio.create_task(self._watch())
        await asyncio.sleep(settings["seconds"])
        for customer in customers:
            customer.stop()
        await asyncio.gather(*lives)
        watching.cancel()
        await asyncio.wait([watching])

    async def _watch(self) -> None:
        """Look for calls that hang four times a second, and take a sample now and then."""
        pause, every = 0.25, max(self.settings["seconds"] / 200, 1.0)
        due, late = self._began, 0.0
        while True:
            before = time.monotonic()
            await asyncio.sleep(pause)
            late = max(late, time.monotonic() - before - pause)
            self.hung.update(self.tally.hanging(GRACE))
            # What is there while clients end says nothing about growth.
            if due <= time.monotonic() < self._began + self.settings["seconds"]:
                self.samples.append(sample(self._began, self.tally.calls, self.tally.reconnects, late))
                due, late = due + every, 0.0

    # What came of it.

    def _result(self, before: Sample, fates: dict[str, int], pages: dict[str, str]) -> dict[str, Any]:
        tally = self.tally
        after = sample(self._began, tally.calls, tally.reconnects, 0.0)
        runs = self._compare({int(client): base64.b64decode(page) for client, page in pages.items()})
        result = {
            "settings": self.settings,
            "versions": versions(),
            "calls": tally.calls,
            "endings": dict(tally.endings.most_common()),
            "reconnects": tally.reconnects,
            "clients made": tally.lives,
            "fates of links": fates,
            "hung": len(self.hung),
            "wrong results": tally.wrong,
            "longest over its time (s)": round(max(tally.slowest, 0.0), 3),
            **runs,
            "left in memory": _left(),
            "tasks left": after.tasks - before.tasks,
            "files left": after.files - before.files,
            "growth after warm-up": self._growth(),
            "samples": [asdict(one) for one in self.samples],
        }
        return result | {"verdict": _verdict(result)}

    def _compare(self, ran: dict[int, bytes]) -> dict[str, int]:
        """Compare what the circle ran with what its clients were told."""
        found: Counter[str] = Counter(
            {"plain calls run twice": 0, "idempotent calls run too often": 0, "results of calls that did not run": 0}
        )
        found["calls run that were said not to have run"] = found["idempotent calls run again"] = 0
        for client, told in self.tally.fates.items():
            runs = ran.get(client, b"").ljust(len(told), b"\0")
            for times, byte in zip(runs, told, strict=False):
                again, fate = bool(byte & Fate.AGAIN), byte & ~Fate.AGAIN
                if times > MOST_RUNS[again]:
                    found["idempotent calls run too often" if again else "plain calls run twice"] += 1
                found["idempotent calls run again"] += again and times > 1
                found["results of calls that did not run"] += fate == Fate.RESULT and not times
                found["calls run that were said not to have run"] += fate == Fate.UNRUN and times > 0
        return dict(found)

    def _growth(self) -> dict[str, Any]:
        """Return the growth from the end of the warm-up to the end of the run, by a fitted line."""
        warm = [one for one in self.samples if one.at >= WARM_UP * self.settings["seconds"]]
        if len(warm) < 2:
            return {}
        first, last = warm[0], warm[-1]
        hours = (last.at - first.at) / 3600
        lines = {
            name: slope([(one.at, getattr(one, name)) for one in warm])
            for name in ("memory", "blocks", "objects", "tasks", "files")
        }
        reconnects = max(last.reconnects - first.reconnects, 1)
        return {
            "memory at the end of the warm-up (MiB)": round(first.memory / 2**20, 2),
            "memory at the end (MiB)": round(last.memory / 2**20, 2),
            "memory (KiB a minute)": round(lines["memory"] * 60 / 1024, 2),
            "memory (bytes a reconnect)": round(lines["memory"] * hours * 3600 / reconnects, 1),
            **{f"{name} (a minute)": round(lines[name] * 60, 2) for name in ("blocks", "objects", "tasks", "files")},
        }


def _left() -> dict[str, int]:
    """Count what should be gone, now that every client is closed and dropped."""
    gc.collect()
    names = Counter(type(one).__name__ for one in gc.get_objects() if type(one).__module__.startswith("circle_ws"))
    return {name: names[name] for name in _LEFTOVERS if names[name]}


def _verdict(result: dict[str, Any]) -> str:
    """Name what must not be; `ok` when there is nothing."""
    bad = [f"{name}: {result[name]}" for name in _MUST_NOT_BE if result[name]]
    return "; ".join(bad) or "ok"


def table(result: dict[str, Any]) -> str:
    """Lay the result out for people."""
    rows: list[tuple[str, Any]] = []
    for name, value in result.items():
        if name == "samples":
            continue
        if isinstance(value, dict):
            rows += [(f"{name}: {key}", one) for key, one in value.items()]
        else:
            rows.append((name, value))
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        f"{name:<{width}}  {value:,}" if type(value) is int else f"{name:<{width}}  {value}" for name, value in rows
    )


def write(result: dict[str, Any], folder: Path) -> None:
    """Write the figures, and the picture of them where that can be drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_text(json.dumps(result, indent=1) + "\n")
    try:
        from benchmarks.pictures import draw_soak
    except ImportError as error:
        print(f"no picture was drawn: {error}; the dependency group `bench` has what it needs", file=sys.stderr)
        return
    draw_soak(result, folder / "soak.svg")


def main() -> int:
    """Do the run that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--rate", type=float, default=2500.0, help="calls a second, over all clients")
    parser.add_argument("--lifetime", type=float, default=1.5, help="of a connection on average, in seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the figures and the picture there")
    options = vars(parser.parse_args())
    out = options.pop("out")
    result = asyncio.run(Soak(**options).run())
    print(table(result))
    print(f"(a call has {TIMEOUT:g} s, and hangs {GRACE:g} s after that)")
    if out:
        write(result, out)
    return 0 if result["verdict"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
