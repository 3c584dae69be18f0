"""One TCP link between a client and a server, and what a bad network does to its bytes."""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["Faults", "FaultyLink", "abort_with_reset"]

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing the socket sends RST."""


@dataclass
class Faults:
    """Say how the bytes travel. Times are in seconds.

    Attributes:
        latency: How much later each chunk arrives, in both directions.
        size: The most bytes that go to the client at once; None leaves the chunks as they are.
        pause: How long after them nothing more goes to the client.
    """

    latency: float = 0.0
    size: int | None = None
    pause: float = 0.0


class FaultyLink:
    """Hand bytes on between two ends, or do not.

    Args:
        client: The streams to the client.
        server: The streams to the server.
        faults: How the bytes travel; it may change at any time.
    """

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        faults: Faults,
    ) -> None:
        self._client_reader, self._client = client
        self._server_reader, self._server = server
        self._faults = faults
        self._swallowing = False
        self._left: int | None = None
        self._how = "eof"

    async def run(self) -> None:
        """Hand bytes on until the client's socket is closed."""
        upward = asyncio.create_task(self._pump(self._client_reader, self._upward))
        downward = asyncio.create_task(self._pump(self._server_reader, self._downward))
        try:
            await asyncio.wait([upward, downward], return_when=asyncio.FIRST_COMPLETED)
            if not self._swallowing:
                self._end_stream()
            await upward
            # What it was sent last is still to arrive.
            self._server.close()
        finally:
            upward.cancel()
            downward.cancel()
            if not self._server.is_closing():
                self._server.transport.abort()

    def swallow(self) -> None:
        """Be half open: both ends stay, and nothing that they send arrives."""
        self._swallowing = True

    def end(self, how: str) -> None:
        """End the link at once: `eof`, `reset` (RST) or `silence` (half open)."""
        self.swallow()
        if how == "reset":
            abort_with_reset(self._client)
        elif how == "eof":
            self._end_stream()

    def end_after(self, count: int, how: str) -> None:
        """End the link once `count` more bytes have gone to the client."""
        self._left, self._how = count, how

    def inject(self, data: bytes) -> None:
        """Send the client bytes of our own."""
        self._client.write(data)

    def _end_stream(self) -> None:
        """Send the client EOF; it is the client's own EOF that tells that its socket is closed."""
        if not self._client.can_write_eof():
            self._client.close()
            return
        # It may be gone already, and the event loop not know.
        with suppress(OSError):
            self._client.write_eof()

    async def _pump(self, reader: asyncio.StreamReader, hand_on: Any) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not self._swallowing:
                    await asyncio.sleep(self._faults.latency)
                    await hand_on(data)

    async def _upward(self, data: bytes) -> None:
        self._server.write(data)
        await self._server.drain()

    async def _downward(self, data: bytes) -> None:
        while data and not self._swallowing:
            size = self._faults.size or len(data)
            piece, data = data[:size], data[size:]
            if self._left is not None:
                piece, self._left = piece[: self._left], self._left - len(piece)
            self._client.write(piece)
            await self._client.drain()
            if self._left is not None and self._left <= 0:
                self.end(self._how)
                return
            if self._faults.size is not None:
                await asyncio.sleep(self._faults.pause)


def abort_with_reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other end gets RST."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()
