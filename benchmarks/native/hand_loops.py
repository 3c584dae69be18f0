"""What one writes by hand over `websockets`: a reader task and one dict; no time limits, no reconnecting, no limits.

`base`, which the ratios are against, uses the standard library's json.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.native.payloads import PAYLOADS

__all__ = ["base", "with_msgspec"]


class _HandLoop:
    def __init__(self, socket: ClientConnection, encode: Callable[[Any], str], decode: Callable[[Any], Any]) -> None:
        self._socket = socket
        self._encode = encode
        self._decode = decode
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._ids = count(1)
        self.reader = asyncio.create_task(self._read())

    async def call(self, method: str) -> Any:
        id = next(self._ids)
        future = self._pending[id] = asyncio.get_running_loop().create_future()
        request = {"jsonrpc": "2.0", "id": id, "method": method, "params": [PAYLOADS[method]]}
        await self._socket.send(self._encode(request))
        return await future

    async def _read(self) -> None:
        async for text in self._socket:
            message = self._decode(text)
            self._pending.pop(message["id"]).set_result(message["result"])


@asynccontextmanager
async def base(url: str) -> AsyncIterator[Callable[[str], Any]]:
    """Use the standard library's json."""
    async with connect(url, compression=None, proxy=None) as socket:
        loop = _HandLoop(socket, json.dumps, json.loads)
        yield loop.call
        loop.reader.cancel()


@asynccontextmanager
async def with_msgspec(url: str) -> AsyncIterator[Callable[[str], Any]]:
    """Use msgspec, for orientation."""
    encoder = msgspec.json.Encoder()
    async with connect(url, compression=None, proxy=None) as socket:
        loop = _HandLoop(socket, lambda value: encoder.encode(value).decode(), msgspec.json.Decoder().decode)
        yield loop.call
        loop.reader.cancel()
