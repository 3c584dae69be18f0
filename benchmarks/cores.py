"""Which core a process runs on: what is measured has one to itself, the servers have another."""

import os

__all__ = ["FIRST", "SECOND", "pin"]

_ALLOWED = sorted(os.sched_getaffinity(0))
FIRST = _ALLOWED[0]
"""The core of what is measured."""
SECOND = _ALLOWED[-1]
"""The core of the servers; the same one on a machine with a single core."""


def pin(core: int) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {core})
