"""The peer `tcp`: listens, but is no WebSocket server."""

import asyncio
import base64
import hashlib
import re

from tests.peers import kind
from tests.peers.stream_peer import StreamPeer

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def _accept(request: bytes) -> bytes:
    """Answer the key of an opening handshake (RFC 6455 section 4.2.2)."""
    key = re.search(rb"sec-websocket-key: *(\S+)", request, re.IGNORECASE)
    return base64.b64encode(hashlib.sha1(key[1] + _GUID).digest()) if key else b""


@kind("tcp")
class Tcp(StreamPeer):
    """Answers every connection with the same bytes, or with silence.

    Args:
        reply: Sent once the client has sent something; empty keeps silent. `$accept` is what a WebSocket server answers
            the client's key with.
        hang_up: Close the connection after it.
    """

    def __init__(self, reply: str = "", hang_up: bool = True) -> None:
        super().__init__()
        self._reply = reply.encode("latin-1")
        self._hang_up = hang_up

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(4096)
        if self._reply:
            writer.write(self._reply.replace(b"$accept", _accept(request)))
            await writer.drain()
        if not (self._reply and self._hang_up):
            await reader.read()
        # Not aborted, so that all of the reply arrives.
        writer.close()
        await writer.wait_closed()
