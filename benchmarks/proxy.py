"""A TCP proxy in a process of its own that breaks its connections, each in its own way and after its own time.

Reset, closed, cut in the middle of a message, half open (nothing passes, neither side notices), slow; some are closed
as soon as they are accepted.
"""

import argparse
import asyncio
import random
import socket
import struct
from collections import Counter
from contextlib import suppress
from typing import Any

from benchmarks.process import answer_lines

__all__ = ["FATES", "BadProxy"]

FATES = {"reset": 30, "close": 25, "cut": 20, "half open": 15, "refuse": 10}
"""How connections end, and how often of a hundred."""
_HALF_OPEN = 9.0
"""So long a half-open connection stays, in seconds; longer than a client may take to notice it."""
_SLOW = 0.25
"""So many of the connections are slow."""
_CHUNK = 64 * 1024

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class BadProxy:
    """Pass bytes on, until a connection meets its fate.

    Args:
        target: The port on this machine that it stands before.
        lifetime: How long a connection lives on average, in seconds.
        rng: Where the randomness comes from.
    """

    def __init__(self, target: int, lifetime: float, rng: random.Random) -> None:
        self.fates: Counter[str] = Counter()
        self._target = target
        self._lifetime = lifetime
        self._rng = rng

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        fate = self._rng.choices(list(FATES), list(FATES.values()))[0]
        self.fates[fate] += 1
        if fate == "refuse":
            _reset(writer)
            return
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        await self._pass_on((reader, writer), upstream, fate)

    async def _pass_on(self, down: _Streams, up: _Streams, fate: str) -> None:
        delay = self._rng.uniform(0.001, 0.03) if self._rng.random() < _SLOW else 0.0
        pumps = [
            asyncio.create_task(_pump(down[0], up[1], delay)),
            asyncio.create_task(_pump(up[0], down[1], delay)),
        ]
        # A connection whose other end is gone by itself needs no fate.
        await asyncio.wait(pumps, timeout=self._rng.expovariate(1 / self._lifetime), return_when="FIRST_COMPLETED")
        gone = any(pump.done() for pump in pumps)
        for pump in pumps:
            pump.cancel()
        await asyncio.wait(pumps)
        if fate == "half open" and not gone:
            await asyncio.sleep(_HALF_OPEN)
        if fate == "cut" and not gone:
            await self._pass_a_part(up[0], down[1])
        for _, writer in (down, up):
            if fate == "close":
                writer.close()
            else:
                _reset(writer)

    async def _pass_a_part(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass only the beginning of the next chunk to the client."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.2):
                data = await reader.read(_CHUNK)
                writer.write(data[: self._rng.randrange(1, max(len(data), 2))])
                await asyncio.sleep(0.005)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            if delay:
                await asyncio.sleep(delay)
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End with RST instead of FIN."""
    with suppress(OSError):
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def serve(target: int, lifetime: float, seed: int) -> None:
    """Run the proxy until standard input ends."""
    proxy = BadProxy(target, lifetime, random.Random(seed))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, backlog=1024)

    async def answer(ask: str) -> Any:
        return dict(proxy.fates)

    await answer_lines({"port": server.sockets[0].getsockname()[1]}, answer)


def main() -> None:
    """Stand before a circle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=int, required=True, help="the port to stand before")
    parser.add_argument("--lifetime", type=float, default=2.0, help="of a connection on average, in seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(serve(options.target, options.lifetime, options.seed))


if __name__ == "__main__":
    main()
