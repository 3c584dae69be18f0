"""The peer `tcp`: listens, but is no WebSocket server."""

import asyncio

from tests.peers import kind


@kind("tcp")
class Tcp:
    """Answers every connection with the same bytes, or with silence.

    Args:
        reply: Sent once the client has sent something; empty keeps silent.
        hang_up: Close the connection after it.
    """

    def __init__(self, reply: str = "", hang_up: bool = True) -> None:
        self.url = ""
        self.accepted = 0
        self._reply = reply.encode("latin-1")
        self._hang_up = hang_up
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self, port: int) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        taken: int = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{taken}/"
        return taken

    async def close(self) -> None:
        assert self._server
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def kill(self) -> None:
        await self.close()

    def count(self) -> int:
        return self.accepted

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        try:
            await reader.read(4096)
            if self._reply:
                writer.write(self._reply)
                await writer.drain()
            if not (self._reply and self._hang_up):
                await reader.read()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
