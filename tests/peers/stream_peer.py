"""What the peers share that are TCP servers: listening, ending, and falling into a black hole."""

import asyncio
import socket
import ssl

__all__ = ["StreamPeer"]

_BACKLOG = 100
_UNANSWERED = 0.1
"""A connection over loopback that takes longer than this gets no answer, in seconds."""


class StreamPeer:
    """Accept connections, each into a task of its own; `serve_one` says what it does with them.

    Args:
        scheme: Of its URL.
        path: Of its URL.
        tls: Accept TLS, with this context.
    """

    def __init__(self, scheme: str = "ws", path: str = "/", tls: ssl.SSLContext | None = None) -> None:
        self.url = ""
        self._scheme, self._path, self._tls = scheme, path, tls
        self._accepted = 0
        self._socket: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    async def open(self, port: int) -> int:
        self._socket = listening = socket.socket()
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        self.answer()
        taken: int = listening.getsockname()[1]
        self.url = f"{self._scheme}://127.0.0.1:{taken}{self._path}"
        return taken

    async def close(self) -> None:
        await self._stop_accepting()
        self._let_fillers_go()
        assert self._socket
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def kill(self) -> None:
        await self.close()

    # What tests ask.

    def count(self) -> int:
        """How many connections were accepted so far."""
        return self._accepted

    def open_connections(self) -> int:
        """How many connections are open."""
        return len(self._tasks)

    async def black_hole(self) -> None:
        """Do not answer new connections at all, not even by a refusal.

        Linux drops each SYN to a socket whose queue of connections is full.
        """
        await self._stop_accepting()
        assert self._socket
        self._socket.listen(0)
        address = self._socket.getsockname()
        while True:
            filler = socket.socket()
            filler.setblocking(False)
            self._fillers.append(filler)
            try:
                async with asyncio.timeout(_UNANSWERED):
                    await asyncio.get_running_loop().sock_connect(filler, address)
            except TimeoutError:
                return

    def answer(self) -> None:
        """Accept connections, those too that got no answer before and still try."""
        assert self._socket
        self._socket.listen(_BACKLOG)
        self._let_fillers_go()
        if self._accepting is None:
            self._accepting = asyncio.create_task(self._accept(self._socket))

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what this peer does with a connection; it is aborted afterwards."""
        raise NotImplementedError

    def _let_fillers_go(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    async def _stop_accepting(self) -> None:
        accepting, self._accepting = self._accepting, None
        if accepting is not None:
            accepting.cancel()
            await asyncio.wait([accepting])

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listening)
            task = asyncio.create_task(self._run(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
        except OSError:
            # The client did not go on with TLS.
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._accepted += 1
        try:
            await self.serve_one(reader, writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()
