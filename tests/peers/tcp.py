"""The peer `tcp`: listens, but is no WebSocket server."""

import asyncio

from tests.peers import kind
from tests.peers.stream_peer import StreamPeer


@kind("tcp")
class Tcp(StreamPeer):
    """Answers every connection with the same bytes, or with silence.

    Args:
        reply: Sent once the client has sent something; empty keeps silent.
        hang_up: Close the connection after it.
    """

    def __init__(self, reply: str = "", hang_up: bool = True) -> None:
        super().__init__()
        self._reply = reply.encode("latin-1")
        self._hang_up = hang_up

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        if self._reply:
            writer.write(self._reply)
            await writer.drain()
        if not (self._reply and self._hang_up):
            await reader.read()
        # Not aborted, so that all of the reply arrives.
        writer.close()
        await writer.wait_closed()
