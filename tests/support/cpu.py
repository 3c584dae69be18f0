"""The time that work takes, however busy the machine is: what it takes of the processor, where that can be told."""

import sys
import time
from collections.abc import Callable

__all__ = ["spent"]

# A page has no processor time of its own.
_clock = time.perf_counter if sys.platform == "emscripten" else time.process_time


def spent(work: Callable[[], object], runs: int = 3) -> float:
    """Return the least time of some runs, in seconds."""
    times = []
    for _ in range(runs):
        started = _clock()
        work()
        times.append(_clock() - started)
    return min(times)
