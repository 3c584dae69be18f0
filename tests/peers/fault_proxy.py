"""The peer `fault_proxy`: a TCP proxy that delays, cuts and silences connections, as networks do."""

import asyncio
from urllib.parse import urlsplit

from tests.peers import kind
from tests.peers.faulty_connection import Faults, FaultyConnection
from tests.peers.stream_peer import StreamPeer


@kind("fault_proxy")
class FaultProxy(StreamPeer):
    """A proxy that forwards bytes to a server until a test injects a fault.

    Args:
        target: The URL of the server.
    """

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        super().__init__(self._target.scheme, self._target.path)
        self._faults = Faults()
        self._refusal = b""
        self._refusals_left = 0
        self._open: set[FaultyConnection] = set()

    # Operations for tests, on present and future connections.

    def delay(self, seconds: float) -> None:
        """Delay every chunk, in both directions."""
        self._faults.latency = seconds

    def pace(self, size: int | None, pause: float = 0.0) -> None:
        """Send clients at most `size` bytes every `pause` seconds; None ends it."""
        self._faults.size, self._faults.pause = size, pause

    # On future connections; `black_hole` and `answer` are two more.

    def refuse(self, reply: str, times: int = 1_000_000) -> None:
        """Answer the next `times` connections with these bytes and close them, instead of forwarding."""
        self._refusal, self._refusals_left = reply.encode("latin-1"), times

    # On present connections.

    def swallow(self) -> int:
        """Make the connections half open: nothing arrives any more, and both sockets stay."""
        for connection in self._open:
            connection.swallow()
        return len(self._open)

    def end(self, how: str) -> int:
        """End the connections to clients by `eof`, `reset` or `silence`; return their number."""
        for connection in self._open:
            connection.end(how)
        return len(self._open)

    def end_after(self, count: int, how: str = "eof") -> None:
        """End each connection after `count` more bytes to the client."""
        for connection in self._open:
            connection.end_after(count, how)

    def inject(self, data: str) -> None:
        """Send clients these bytes, given in hex, between the server's."""
        for connection in self._open:
            connection.inject(bytes.fromhex(data))

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusals_left:
            self._refusals_left -= 1
            await reader.read(4096)
            writer.write(self._refusal)
            writer.close()
            await writer.wait_closed()
            return
        server = await asyncio.open_connection(self._target.hostname, self._target.port)
        connection = FaultyConnection((reader, writer), server, self._faults)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
