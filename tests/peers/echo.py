"""The peer `echo`: a WebSocket server that sends every text back."""

import asyncio

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.peers import kind


@kind("echo")
class Echo:
    """Echoes text, counts connections, and drops them when asked."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted = 0
        self._server: Server | None = None

    async def open(self, port: int) -> int:
        self._server = await serve(self._echo, "127.0.0.1", port, compression=None)
        taken: int = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{taken}"
        return taken

    async def close(self) -> None:
        await self._end()

    async def kill(self) -> None:
        assert self._server
        self._server.server.close()
        for connection in list(self._server.all_connections):
            connection.transport.abort()
        await self._end()

    async def drop(self, code: int = 1001, reason: str = "") -> int:
        """Close every connection with `code` and return how many there were."""
        assert self._server
        dropped = list(self._server.connections)
        await asyncio.gather(*(connection.close(code, reason) for connection in dropped))
        return len(dropped)

    def count(self) -> int:
        """Return how many connections were accepted so far."""
        return self.accepted

    async def _end(self) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def _echo(self, connection: ServerConnection) -> None:
        self.accepted += 1
        try:
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            return
