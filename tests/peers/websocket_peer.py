"""What the peers that are WebSocket servers share: opening on a port, closing, and being killed."""

from typing import Any, ClassVar

from websockets.asyncio.server import Server, ServerConnection, serve

__all__ = ["WebSocketPeer"]


class WebSocketPeer:
    """A server of the package `websockets`; `serve_one` handles a connection.

    Args:
        compression: `deflate`, or None.
    """

    options: ClassVar[dict[str, Any]] = {}
    """What `websockets.asyncio.server.serve` is given besides what all these peers have."""

    def __init__(self, compression: str | None = None) -> None:
        self.url = ""
        self._compression = compression
        self._server: Server | None = None

    async def open(self, port: int) -> int:
        given = {"compression": self._compression, "close_timeout": 1, **self.options}
        self._server = await serve(self.serve_one, "127.0.0.1", port, **given)
        taken: int = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{taken}/"
        return taken

    async def close(self) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def kill(self) -> None:
        assert self._server
        self._server.server.close()
        self.cut()
        await self.close()

    def cut(self) -> None:
        """Abort every connection, without a closing handshake."""
        for one in self.connections():
            one.transport.abort()

    def connections(self) -> list[ServerConnection]:
        """Return every connection, including those in the opening handshake."""
        assert self._server
        return list(self._server.all_connections)

    async def serve_one(self, connection: ServerConnection) -> None:
        """Do what this peer does with a connection; it is closed afterwards."""
        raise NotImplementedError
