"""One proxied TCP connection, with the faults of a bad network."""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["Faults", "FaultyConnection", "abort_with_reset"]

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0, so that closing the socket sends RST."""


@dataclass
class Faults:
    """How the bytes travel. Times are in seconds.

    Attributes:
        latency: Delay of each chunk, in both directions.
        size: Maximum number of bytes sent to the client at once; None keeps the chunks.
        pause: Delay after each of them.
    """

    latency: float = 0.0
    size: int | None = None
    pause: float = 0.0


class FaultyConnection:
    """The forwarding of bytes between two ends, with faults.

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
        """Forward bytes until the client's socket is closed."""
        upward = asyncio.create_task(self._pump(self._client_reader, self._upward))
        downward = asyncio.create_task(self._pump(self._server_reader, self._downward))
        try:
            await asyncio.wait([upward, downward], return_when=asyncio.FIRST_COMPLETED)
            if not self._swallowing:
                self._end_stream()
            await upward
            # The last bytes are still on their way to the server.
            self._server.close()
        finally:
            upward.cancel()
            downward.cancel()
            if not self._server.is_closing():
                self._server.transport.abort()

    def swallow(self) -> None:
        """Make the connection half open: both ends stay, and nothing that they send arrives."""
        self._swallowing = True

    def end(self, how: str) -> None:
        """End the connection at once: `eof`, `reset` (RST) or `silence` (half open)."""
        self.swallow()
        if how == "reset":
            abort_with_reset(self._client)
        elif how == "eof":
            self._end_stream()

    def end_after(self, count: int, how: str) -> None:
        """End the connection once `count` more bytes have gone to the client."""
        self._left, self._how = count, how

    def inject(self, data: bytes) -> None:
        """Send the client extra bytes."""
        self._client.write(data)

    def _end_stream(self) -> None:
        """Send the client EOF; the client's own EOF then shows that its socket is closed."""
        if not self._client.can_write_eof():
            self._client.close()
            return
        # The socket may be closed already without the event loop having noticed.
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
