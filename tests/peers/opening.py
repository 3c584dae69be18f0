"""The peer `opening`: a WebSocket server that tells what opening handshakes had in them and what is on the wire."""

import json
import zlib
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from tests.peers import kind


class _Connection(ServerConnection):
    """Counts what comes in over the wire."""

    bytes_received = 0

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        super().data_received(data)


@kind("opening")
class Opening:
    """Answers calls, but of `wait`, with their first argument, and sends every other text back.

    Args:
        take: The subprotocol that is taken where some are offered; None takes none.
        deflate: How messages are compressed, as `ServerPerMessageDeflateFactory` takes it; None does not.
        greeting: Sent as soon as a client is there.
    """

    def __init__(self, take: str | None = None, deflate: dict[str, Any] | None = None, greeting: str = "") -> None:
        self.url = ""
        self._take = take
        self._extensions = None if deflate is None else [ServerPerMessageDeflateFactory(**deflate)]
        self._greeting = greeting
        self._requests: list[list[list[str]]] = []
        self._endings: list[int | None] = []
        self._bomb = (0, b"")
        self._waiting = 0
        self._server: Server | None = None

    async def open(self, port: int) -> int:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            port,
            select_subprotocol=self._select,  # type: ignore[arg-type]
            compression=None,
            extensions=self._extensions,
            create_connection=_Connection,
            max_size=None,
            close_timeout=1,
        )
        taken: int = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{taken}/"
        return taken

    async def close(self) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def kill(self) -> None:
        for one in self._connections():
            one.transport.abort()
        await self.close()

    # What tests ask.

    def requests(self) -> list[list[list[str]]]:
        """The headers of every handshake, each a list of names and values."""
        return self._requests

    def ended(self) -> list[int | None]:
        """The close code of every connection that has ended."""
        return self._endings

    def take(self, subprotocol: str | None) -> None:
        """Select another subprotocol from now on."""
        self._take = subprotocol

    async def drop_all(self, code: int = 1001) -> None:
        for one in self._connections():
            await one.close(code)

    def bytes_received(self) -> int:
        """What has come in over the wire, on the connections there are."""
        return sum(one.bytes_received for one in self._connections())

    async def send_fragments(self, fragments: list[str]) -> None:
        for one in self._connections():
            await one.send(fragments)

    def waiting(self) -> int:
        """How many calls of `wait`, which is never answered, there were."""
        return self._waiting

    def prepare_bomb(self, size: int) -> int:
        """Make a message of `size` bytes that is a thousandth of that on the wire; give that."""
        self._bomb = (size, _deflate(size))
        return len(self._bomb[1])

    def send_bomb(self, size: int, fragment: int = 0) -> int:
        """Send such a message, unless it was made before make it, and give its size on the wire.

        Args:
            size: What it is when it is inflated.
            fragment: Send it in fragments of so many bytes on the wire; 0 sends it whole.
        """
        if self._bomb[0] != size:
            self.prepare_bomb(size)
        data = self._bomb[1]
        parts = [data[start : start + fragment] for start in range(0, len(data), fragment)] if fragment else [data]
        last = len(parts) - 1
        self._send_raw(b"".join(_frame(part, number == 0, number == last) for number, part in enumerate(parts)))
        return len(data)

    def send_over_the_edge(self, size: int, over: int) -> None:
        """Send a message of `size + over` bytes whose first fragment gives `size` and holds back the rest."""
        data = _deflate(size + over)
        first = next(data[:end] for end in range(len(data)) if _inflates_to(data[:end], size))
        self._send_raw(_frame(first, True, False) + _frame(b"", False, True))

    def _send_raw(self, data: bytes) -> None:
        for one in self._connections():
            one.transport.write(data)

    def _connections(self) -> list[_Connection]:
        assert self._server
        return [one for one in self._server.connections if isinstance(one, _Connection)]

    def _select(self, connection: ServerConnection, offered: list[str]) -> str | None:
        return self._take if offered else None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request
        self._requests.append([list(item) for item in connection.request.headers.raw_items()])
        try:
            if self._greeting:
                await connection.send(self._greeting)
            async for message in connection:
                if (answer := _answer(str(message))) is None:
                    self._waiting += 1
                else:
                    await connection.send(answer)
        except ConnectionClosed:
            pass
        self._endings.append(connection.close_code)


def _answer(text: str) -> str | None:
    try:
        request = json.loads(text)
    except ValueError:
        return text
    if request["method"] == "wait":
        return None
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": request["params"][0]})


def _frame(data: bytes, first: bool, last: bool) -> bytes:
    """Make a frame of a compressed message (RFC 6455 section 5.2), which `websockets` would compress again."""
    size = len(data)
    # Browsers refuse a length that could be written shorter.
    short, width = (size, 0) if size < 126 else (126, 2) if size < 65536 else (127, 8)
    return bytes([last << 7 | first << 6 | first, short]) + (size.to_bytes(width, "big") if width else b"") + data


def _deflate(size: int) -> bytes:
    """Compress `size` times the letter x, a piece at a time."""
    packer = zlib.compressobj(9, wbits=-15)
    piece = b"x" * 65536
    parts = [packer.compress(piece[: min(65536, size - start)]) for start in range(0, size, 65536)]
    return b"".join([*parts, packer.flush(zlib.Z_SYNC_FLUSH)[:-4]])


def _inflates_to(data: bytes, size: int) -> bool:
    """Return whether an inflater returns `size` bytes and has then read everything."""
    inflater = zlib.decompressobj(wbits=-15)
    return len(inflater.decompress(data, size)) == size and not inflater.unconsumed_tail
