"""Connect and sign in, with circle_ws and by hand, pair by pair, in one process of its own."""

import argparse
import asyncio
import gc
import statistics
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.cores import FIRST, pin
from benchmarks.process import answer_lines
from circle_ws import CircleWsClient, ClientConfig, KeyPair
from circle_ws.auth import backend

_NONCE = '{"jsonrpc":"2.0","id":1,"method":"fetch_nonce","params":{"pubkey":"%s"}}'
_SIGN_IN = '{"jsonrpc":"2.0","id":2,"method":"authenticate","params":{"pubkey":"%s","signature":"%s"}}'
_clock = time.perf_counter


class _Dialler:
    """Do each thing once; every method gives how long it took, in seconds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._key = KeyPair.generate()

    async def circle_ws(self) -> float:
        """`connect()` of a client that was made before."""
        client = CircleWsClient(ClientConfig(self._url, private_key=self._key))
        began = _clock()
        await client.connect()
        took = _clock() - began
        await client.close()
        return took

    async def made(self) -> float:
        """Make the options and the client, which dial nothing."""
        began = _clock()
        CircleWsClient(ClientConfig(self._url, private_key=self._key))
        return _clock() - began

    async def bare(self) -> float:
        """Open a WebSocket, ask twice, sign once; look at no answer."""
        began = _clock()
        socket = await self._open()
        await _ask(socket, _NONCE % ("04" * 65))
        await _ask(socket, _SIGN_IN % ("04" * 65, self._sign().hex()))
        took = _clock() - began
        await socket.close()
        return took

    async def opened(self) -> float:
        """Open a WebSocket."""
        began = _clock()
        socket = await self._open()
        took = _clock() - began
        await socket.close()
        return took

    async def asked(self) -> float:
        """Ask once."""
        async with await self._open() as socket:
            began = _clock()
            await _ask(socket, _NONCE % ("04" * 65))
            return _clock() - began

    async def signed(self) -> float:
        """Sign once."""
        began = _clock()
        self._sign()
        return _clock() - began

    async def _open(self) -> ClientConnection:
        return await connect(self._url, compression=None, proxy=None)

    def _sign(self) -> bytes:
        signature, _ = backend.sign(b"\x07" * 32, b"\x01" * 32)
        return signature


async def _ask(socket: ClientConnection, text: str) -> None:
    await socket.send(text)
    await socket.recv()


async def measure(url: str, count: int) -> dict[str, float]:
    """Do each thing `count` times, one after the other; give the medians in milliseconds."""
    dialler = _Dialler(url)
    kinds = [dialler.circle_ws, dialler.bare, dialler.made, dialler.opened, dialler.asked, dialler.signed]
    times: dict[str, list[float]] = {kind.__name__: [] for kind in kinds}
    gc.collect()
    for _ in range(count):
        for kind in kinds:
            times[kind.__name__].append(await kind())
    return {name: statistics.median(found) * 1000 for name, found in times.items()}


def main() -> None:
    """Wait to be asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    url = parser.parse_args().url
    pin(FIRST)

    async def answer(ask: str, count: int) -> Any:
        assert ask == "dial"
        return await measure(url, count)

    asyncio.run(answer_lines({}, answer))


if __name__ == "__main__":
    main()
