"""The peer `fault_proxy`: stands between a client and a server and does to their links what networks do."""

import asyncio
from urllib.parse import urlsplit

from tests.peers import kind
from tests.peers.faulty_link import Faults, FaultyLink
from tests.peers.stream_peer import StreamPeer


@kind("fault_proxy")
class FaultProxy(StreamPeer):
    """Hands bytes on to a server, until a test says otherwise.

    Args:
        target: The URL of the server.
    """

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        super().__init__(self._target.scheme, self._target.path)
        self._faults = Faults()
        self._refusal = b""
        self._refusals_left = 0
        self._links: set[FaultyLink] = set()

    # What tests ask, of the links that there are and of those that come.

    def delay(self, seconds: float) -> None:
        """Let every chunk arrive later, in both directions."""
        self._faults.latency = seconds

    def pace(self, size: int | None, pause: float = 0.0) -> None:
        """Give clients at most `size` bytes every `pause` seconds; None ends it."""
        self._faults.size, self._faults.pause = size, pause

    # ... of the links that come; `black_hole` and `answer` are two more.

    def refuse(self, reply: str, times: int = 1_000_000) -> None:
        """Answer so many connections with these bytes and hang up, instead of handing them on."""
        self._refusal, self._refusals_left = reply.encode("latin-1"), times

    # ... of the links that there are.

    def swallow(self) -> int:
        """Let nothing that either end sends arrive any more, and keep both sockets: half open."""
        for link in self._links:
            link.swallow()
        return len(self._links)

    def end(self, how: str) -> int:
        """End the links towards the client: `eof`, `reset` or `silence`; tell how many there were."""
        for link in self._links:
            link.end(how)
        return len(self._links)

    def end_after(self, count: int, how: str = "eof") -> None:
        """End the links so once `count` more bytes have gone to the client."""
        for link in self._links:
            link.end_after(count, how)

    def inject(self, data: str) -> None:
        """Send clients these bytes, given in hex, between those of the server."""
        for link in self._links:
            link.inject(bytes.fromhex(data))

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusals_left:
            self._refusals_left -= 1
            await reader.read(4096)
            writer.write(self._refusal)
            writer.close()
            await writer.wait_closed()
            return
        server = await asyncio.open_connection(self._target.hostname, self._target.port)
        link = FaultyLink((reader, writer), server, self._faults)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
