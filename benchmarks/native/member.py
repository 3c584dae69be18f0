"""Many idle clients in one process: what they hold, how fast they are set up, what CPU they take."""

import argparse
import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import connect

from benchmarks.cores import FIRST, pin
from benchmarks.gauges import sample
from benchmarks.process import answer_lines, raise_file_limit
from circle_ws import CircleWsClient, KeepAlive, KeyPair
from circle_ws import connect as circle_client

__all__ = ["KINDS"]

_AT_ONCE = 50
"""So many are being set up at a time."""


async def _circle_ws(url: str, interval: float) -> CircleWsClient:
    """Sign in with a key of its own; all else is as it is by default, but for the keep-alive's interval."""
    return await circle_client(url, private_key=KeyPair.generate(), keepalive=KeepAlive(interval=interval))


async def _websockets(url: str, interval: float) -> Any:
    return await connect(url, compression=None, proxy=None, ping_interval=interval)


async def _compressing(url: str, interval: float) -> Any:
    return await connect(f"{url}deflate", proxy=None, ping_interval=interval)


KINDS: dict[str, Callable[[str, float], Awaitable[Any]]] = {
    "circle_ws, signed in": _circle_ws,
    "websockets": _websockets,
    "websockets, compression": _compressing,
}
"""By the name that the tables use; the first is to be compared with the second."""


async def _set_up(kind: str, url: str, count: int, interval: float) -> list[Any]:
    open_one, made = KINDS[kind], []
    for begin in range(0, count, _AT_ONCE):
        here = range(begin, min(begin + _AT_ONCE, count))
        made += await asyncio.gather(*(open_one(url, interval) for _ in here))
    return made


async def measure(kind: str, url: str, count: int, interval: float, seconds: float) -> dict[str, float]:
    """Set clients up, then leave them alone for so long."""
    # One more, so that what is imported or cached with the first one does not count.
    kept = await _set_up(kind, url, 1, interval)
    before, began, cpu = sample(0, 0, 0, 0), time.perf_counter(), time.process_time()
    kept += await _set_up(kind, url, count, interval)
    took, set_up_cpu = time.perf_counter() - began, time.process_time() - cpu
    after = sample(0, 0, 0, 0)
    # What is there is not what is being measured: a full collection now and then would look like work of the clients.
    gc.freeze()
    await asyncio.sleep(interval)
    cpu = time.process_time()
    await asyncio.sleep(seconds)
    cpu = time.process_time() - cpu
    if isinstance(kept[0], CircleWsClient) and not all(client.is_connected for client in kept):
        raise RuntimeError("a client lost its connection while it idled")
    return {
        "resident_kib": (after.memory - before.memory) / count / 1024,
        "blocks": (after.blocks - before.blocks) / count,
        "objects": (after.objects - before.objects) / count,
        "tasks": (after.tasks - before.tasks) / count,
        "set_up_a_second": count / took,
        "set_up_cpu_ms": set_up_cpu / count * 1000,
        "idle_cpu_percent": cpu / seconds * 100,
        "idle_us_a_ping": cpu / seconds * interval / count * 1e6,
    }


def main() -> None:
    """Wait to be asked, once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    url = parser.parse_args().url
    pin(FIRST)
    raise_file_limit()

    async def answer(ask: str, **options: Any) -> Any:
        return await measure(ask, url, **options)

    async def run() -> None:
        await answer_lines({}, answer)
        # Closing thousands of connections one by one would only take time.
        sys.stdout.flush()
        os._exit(0)

    asyncio.run(run())


if __name__ == "__main__":
    main()
