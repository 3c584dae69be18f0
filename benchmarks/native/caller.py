"""One kind of client in a process of its own, which calls as fast as it can whenever it is told to."""

import argparse
import asyncio
import gc
import time
from array import array
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from benchmarks.cores import FIRST, pin
from benchmarks.native.clients import BLOCKING, CLIENTS
from benchmarks.native.payloads import LOADS, PAYLOADS
from benchmarks.process import answer_lines

_WARM_UP = 0.1
"""Before each measurement, in seconds."""


async def _drive(call: Callable[[str], Awaitable[Any]], method: str, in_flight: int, seconds: float) -> "array[float]":
    """Call for so long, with so many in flight, each at least once; give how long each took, in seconds."""
    latencies = array("d")
    clock = time.perf_counter
    until = clock() + seconds

    async def work() -> None:
        began = clock()
        while True:
            await call(method)
            ended = clock()
            latencies.append(ended - began)
            # Not before the first: on a busy machine the time may be over by then, and one call is a figure too.
            if ended >= until:
                return
            began = ended

    if in_flight == 1:
        await work()
    else:
        await asyncio.gather(*(work() for _ in range(in_flight)))
    return latencies


async def _drive_threads(call: Callable[[str], Any], method: str, in_flight: int, seconds: float) -> "array[float]":
    """The same for a client that blocks, with a thread for each call in flight."""
    clock = time.perf_counter
    until = clock() + seconds

    def work() -> "array[float]":
        latencies = array("d")
        began = clock()
        while True:
            call(method)
            ended = clock()
            latencies.append(ended - began)
            if ended >= until:
                return latencies
            began = ended

    with ThreadPoolExecutor(in_flight) as pool:
        loop = asyncio.get_running_loop()
        found = await asyncio.gather(*(loop.run_in_executor(pool, work) for _ in range(in_flight)))
    return array("d", chain.from_iterable(found))


async def measure(name: str, url: str, load: str, share: float) -> dict[str, float]:
    """Open a client, warm it up, measure it, and close it."""
    method, in_flight = LOADS[load].method, LOADS[load].in_flight
    drive: Callable[..., Awaitable[array[float]]] = _drive_threads if name == BLOCKING else _drive
    async with CLIENTS[name](url) as call:
        answer = await asyncio.to_thread(call, method) if name == BLOCKING else await call(method)
        if answer != PAYLOADS[method]:
            raise RuntimeError(f"{name} was answered with another payload than it sent")
        await drive(call, method, in_flight, _WARM_UP)
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        latencies = await drive(call, method, in_flight, LOADS[load].seconds * share)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    ordered, calls = sorted(latencies), len(latencies)
    return {
        "calls": calls,
        "calls_a_second": calls / wall,
        "p50_us": ordered[calls // 2] * 1e6,
        "p99_us": ordered[min(calls * 99 // 100, calls - 1)] * 1e6,
        "cpu_us_a_call": cpu / calls * 1e6,
    }


def main() -> None:
    """Wait to be asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", required=True, choices=CLIENTS)
    parser.add_argument("--url", required=True)
    options = parser.parse_args()
    pin(FIRST)

    async def answer(ask: str, share: float) -> Any:
        return await measure(options.client, options.url, ask, share)

    asyncio.run(answer_lines({}, answer))


if __name__ == "__main__":
    main()
