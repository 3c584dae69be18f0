"""The peer `echo`: a WebSocket server that sends every text back."""

import asyncio

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.peers import kind
from tests.peers.websocket_peer import WebSocketPeer


@kind("echo")
class Echo(WebSocketPeer):
    """Echoes text, counts connections, and drops them when asked."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted = 0

    async def drop(self, code: int = 1001, reason: str = "") -> int:
        """Close every connection with `code` and return how many there were."""
        dropped = self.connections()
        await asyncio.gather(*(connection.close(code, reason) for connection in dropped))
        return len(dropped)

    def count(self) -> int:
        """Return how many connections were accepted so far."""
        return self.accepted

    async def serve_one(self, connection: ServerConnection) -> None:
        self.accepted += 1
        try:
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            return
