"""The peer `scripted`: a WebSocket server that answers what a test says, right or wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, ClassVar

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

from tests.peers import kind
from tests.peers.websocket_peer import WebSocketPeer


@kind("scripted")
class Scripted(WebSocketPeer):
    """Answers each method from a table; everything can be sent by hand, too.

    Args:
        answers: By method: `{"result": ...}` or `{"error": ...}` to answer with, `{"raw": text}` to send as it is with
            `$id` replaced (and `$echo` by the request),
            `{"zeros": count}` for so long a text, `{"close": code}`, or null to stay silent. A list
            gives one answer after the other.
        greeting: Texts that are sent as soon as a client is there.
        deaf: Do not read at all.
        deflate: Compress where the client offers it.
        pongs: Answer pings.
        at_once: Close every connection with this code as soon as it is open.
    """

    options: ClassVar[dict[str, Any]] = {"ping_interval": None, "max_size": None}

    def __init__(
        self,
        answers: dict[str, Any] | None = None,
        greeting: list[str] | None = None,
        deaf: bool = False,
        deflate: bool = False,
        pongs: bool = True,
        at_once: int | None = None,
    ) -> None:
        super().__init__(compression="deflate" if deflate else None)
        self.answers = answers or {}
        self.greeting = greeting or []
        self.deaf = deaf
        self.pongs = pongs
        self.at_once = at_once
        self.received_texts: list[str] = []
        self.extensions: list[int] = []
        self.endings: list[dict[str, Any]] = []
        self.accepted = 0
        self.begun = 0
        self._unfinished: list[asyncio.Task[None]] = []

    # What tests ask.

    def received(self) -> list[str]:
        return self.received_texts

    def ended(self) -> list[dict[str, Any]]:
        """How each connection ended, as this side saw it."""
        return self.endings

    def count(self) -> int:
        return self.accepted

    def deflates(self) -> list[int]:
        """How many extensions each connection has: 1 where it compresses."""
        return self.extensions

    def open_connections(self) -> int:
        """How many connections are open."""
        return len(self.connections())

    def answer(self, method: str, answer: Any) -> None:
        self.answers[method] = answer

    async def send(self, text: str) -> None:
        await asyncio.gather(*(one.send(text) for one in self.connections()))

    async def send_many(self, texts: list[str], then_close: int | None = None) -> None:
        """Send all of them as fast as it goes, and where it is given close with this code."""
        for one in self.connections():
            for text in texts:
                await one.send(text)
            if then_close is not None:
                await one.close(then_close)

    async def send_fragments(self, fragments: list[str]) -> None:
        await asyncio.gather(*(one.send(fragments) for one in self.connections()))

    async def begin_message(self, fragments: int) -> None:
        """Send so many empty fragments of a text message that never ends."""
        for one in self.connections():
            self._unfinished.append(asyncio.create_task(self._begin(one, fragments)))

    def begun_messages(self) -> int:
        """Of how many messages that never end all fragments are on their way."""
        return self.begun

    async def ask_on_and_on(self, text: str) -> None:
        """Send a text again and again, until the connection ends."""
        for one in self.connections():
            self._unfinished.append(asyncio.create_task(self._ask(one, text)))

    async def send_binary(self, text: str) -> None:
        await asyncio.gather(*(one.send(text.encode()) for one in self.connections()))

    async def send_bad_utf8(self) -> None:
        await asyncio.gather(*(one.send(b"\xff\xfe", text=True) for one in self.connections()))

    async def end_with(self, code: int, reason: str = "") -> None:
        await asyncio.gather(*(one.close(code, reason) for one in self.connections()))

    async def end_without_a_code(self) -> None:
        """Close with a frame that holds no code: the client sees 1005."""
        for one in self.connections():
            async with one.send_context(expected_state=OPEN):
                one.protocol.send_close()

    def received_sizes(self) -> list[int]:
        return [len(text) for text in self.received_texts]

    def listen(self) -> None:
        """Read, where it was deaf."""
        self.deaf = False
        for one in self.connections():
            one.transport.resume_reading()

    def hear_from_now_on(self) -> None:
        """Read on the connections that come."""
        self.deaf = False

    async def serve_one(self, connection: ServerConnection) -> None:
        self.accepted += 1
        self.extensions.append(len(connection.protocol.extensions))
        if not self.pongs:
            _withhold_pongs(connection)
        if self.at_once is not None:
            await connection.close(self.at_once)
        for text in self.greeting:
            await connection.send(text)
        if self.deaf:
            connection.transport.pause_reading()
        try:
            async for message in connection:
                text = message if isinstance(message, str) else repr(message)
                self.received_texts.append(text)
                await self._react(connection, text)
        except ConnectionClosed:
            pass
        self.endings.append({"code": connection.close_code, "reason": connection.close_reason})

    async def _begin(self, connection: ServerConnection, fragments: int) -> None:
        async def endless() -> AsyncIterator[str]:
            for _ in range(fragments):
                yield ""
            self.begun += 1
            await connection.wait_closed()

        with suppress(ConnectionClosed):
            await connection.send(endless())

    async def _ask(self, connection: ServerConnection, text: str) -> None:
        with suppress(ConnectionClosed):
            while True:
                for _ in range(50):
                    await connection.send(text)
                await asyncio.sleep(0.01)

    async def _react(self, connection: ServerConnection, text: str) -> None:
        try:
            request = json.loads(text)
            answer = self.answers.get(request["method"])
        except (ValueError, KeyError, TypeError):
            return
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if answer is None:
            return
        if "close" in answer:
            await connection.close(answer["close"], answer.get("reason", ""))
        elif "zeros" in answer:
            await connection.send("0" * answer["zeros"])
        elif "raw" in answer:
            raw = answer["raw"].replace("$id", json.dumps(request.get("id")))
            await connection.send(raw.replace("$echo", json.dumps(text)[1:-1]))
        else:
            await connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}))


def _withhold_pongs(connection: ServerConnection) -> None:
    """Answer no ping, as an actix actor does that does not do it itself."""
    send = connection.protocol.send_frame

    def send_other(frame: Frame) -> None:
        if frame.opcode is not Opcode.PONG:
            send(frame)

    connection.protocol.send_frame = send_other  # type: ignore[method-assign]
