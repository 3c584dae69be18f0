"""What this process holds at a moment: memory, objects, tasks, open files. Linux only, for `/proc`."""

import asyncio
import gc
import os
import platform
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

__all__ = ["Sample", "sample", "slope", "versions"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Sample:
    """A measurement at one moment.

    Attributes:
        at: Seconds since the beginning.
        calls: Calls that have ended.
        reconnects: Connections that were signed in, but for the first of each client.
        memory: Resident, in bytes.
        blocks: Blocks of memory that Python has given out, after a collection of garbage.
        objects: Objects that the collector of garbage knows, after a collection.
        tasks: Tasks of the event loop.
        files: Open file descriptors; sockets are some.
        late: How late the event loop's timer was, in seconds.
    """

    at: float
    calls: int
    reconnects: int
    memory: int
    blocks: int
    objects: int
    tasks: int
    files: int
    late: float


def sample(began: float, calls: int, reconnects: int, late: float) -> Sample:
    """Look at this process. Collects garbage first, so that only what is held counts."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        memory = int(file.read().split()[1]) * _PAGE
    return Sample(
        at=round(time.monotonic() - began, 3),
        calls=calls,
        reconnects=reconnects,
        memory=memory,
        blocks=sys.getallocatedblocks(),
        objects=len(gc.get_objects()),
        tasks=len(asyncio.all_tasks()),
        files=len(os.listdir("/proc/self/fd")),
        late=round(late, 3),
    )


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits the points best (least squares)."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def versions(*more: str) -> dict[str, str]:
    """Name what was measured, and on what; `more` are further packages."""
    packages = {}
    for name in ("circle-ws", "websockets", "msgspec", "coincurve", "btclib-secp256k1", *more):
        # Which of them are there depends on the version of Python.
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    cores = f"{os.cpu_count()} cores, {platform.machine()}"
    return {
        "python": platform.python_version(),
        **packages,
        "system": f"{platform.system()} {platform.release()}, {cores}",
    }
