"""Receive notifications as fast as they are pushed, with circle_ws or with a loop over `websockets`."""

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.client import connect

from benchmarks.cores import FIRST, pin
from benchmarks.process import answer_lines
from circle_ws import connect as circle_client

__all__ = ["KINDS"]

_PUSH = '{"jsonrpc":"2.0","id":1,"method":"push","params":{"count":%d}}'
_WIDE = 8192
"""Notifications that come in with one read of the socket fit in."""


async def _circle_ws(url: str, count: int, buffer: int = _WIDE) -> int:
    taken = 0
    async with circle_client(url) as client, client.notifications("tick", buffer=buffer) as listener:
        pushed = asyncio.create_task(client.call("push", {"count": count}))
        async for params in listener:
            taken += 1
            # The oldest are dropped where there is no room: the last one always comes.
            if params["number"] == count - 1:
                break
        await pushed
    return taken


async def _with_default_buffer(url: str, count: int) -> int:
    return await _circle_ws(url, count, buffer=1024)


async def _by_hand(url: str, count: int, decode: Callable[[str | bytes], Any] = json.loads) -> int:
    async with connect(url, compression=None, proxy=None) as socket:
        await socket.send(_PUSH % count)
        taken = 0
        async for text in socket:
            message = decode(text)
            if "id" in message:
                break
            taken += message["params"]["number"] == taken
        return taken


async def _by_hand_with_msgspec(url: str, count: int) -> int:
    return await _by_hand(url, count, msgspec.json.Decoder().decode)


KINDS: dict[str, Callable[[str, int], Awaitable[int]]] = {
    f"circle_ws, buffer of {_WIDE}": _circle_ws,
    "circle_ws, default buffer of 1024": _with_default_buffer,
    "websockets + json": _by_hand,
    "websockets + msgspec": _by_hand_with_msgspec,
}
"""By the name that the tables use; each gives how many notifications it took."""


async def measure(kind: str, url: str, count: int) -> dict[str, float]:
    """Request `count` notifications at once and measure the time, including that of connecting, which is short."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    taken = await KINDS[kind](url, count)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"a_second": count / wall, "cpu_us_each": cpu / count * 1e6, "lost": count - taken}


def main() -> None:
    """Wait to be asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    url = parser.parse_args().url
    pin(FIRST)

    async def answer(ask: str, count: int) -> Any:
        return await measure(ask, url, count)

    asyncio.run(answer_lines({}, answer))


if __name__ == "__main__":
    main()
