"""Any messages of a client, and the circle lives and says nothing but JSON-RPC 2.0.

A line is a message. Where the first one is `signed in` the client is. Each message gets one response, an array of
them, or none; the sign-in accepts no signature here, because none can be guessed.
"""

import asyncio
import json
from typing import Any

from circle_ws.auth import KeyPair
from circle_ws.errors import ConnectionLost
from circle_ws.server import CircleServer
from circle_ws.server.answering import ClientSession

__all__ = ["one_input"]

_KEY = KeyPair("11" * 32).public_key
_CIRCLE = CircleServer(play=str.upper, public_url="wss://circle.example/", sign_in_timeout=None)


@_CIRCLE.method()
def echo(value: Any = None) -> Any:
    return value


@_CIRCLE.method()
async def later(value: int, **rest: str) -> list[Any]:
    return [value, rest]


class _Socket:
    """Gives the lines, and takes whatever is sent."""

    def __init__(self, lines: list[bytes]) -> None:
        self.loop = asyncio.get_running_loop()
        self.thread = 0
        self.when_lost: Any = None
        self.sent: list[bytes] = []
        self.dropped = False
        self._lines = lines

    async def next_message(self) -> str | bytes | None:
        await asyncio.sleep(0)
        return self._lines.pop(0) if self._lines and not self.dropped else None

    def push(self, text: bytes) -> bool:
        self.sent.append(text)
        return True

    async def wait_until_read(self) -> None: ...

    def drop(self, why: str, code: int) -> None:
        assert len(why.encode()) <= 123, "the reason does not fit into a close frame"
        self.dropped = True

    def loss(self) -> ConnectionLost:
        return ConnectionLost.closed(1000)

    async def close(self, code: int, reason: str) -> None:
        self.dropped = True

    def abort(self) -> None:
        self.dropped = True


def _check(response: Any) -> None:
    """Check one response against JSON-RPC 2.0 section 5."""
    assert response["jsonrpc"] == "2.0"
    assert type(response["id"]) in (str, int, float, type(None))
    assert len(response) == 3
    assert ("result" in response) != ("error" in response)
    if "error" in response:
        assert type(response["error"]["code"]) is int
        assert type(response["error"]["message"]) is str


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


async def _serve(lines: list[bytes]) -> None:
    socket = _Socket(lines)
    session = ClientSession(_CIRCLE._rules, socket)
    if lines[0] == b"signed in":
        session.connection.public_key = _KEY
        del lines[0]
    signed, messages = session.connection.public_key, len(lines)
    async with asyncio.timeout(60):
        await session.serve()
    assert session.connection.public_key == signed, "a signature was accepted"
    assert len(socket.sent) <= messages
    for text in socket.sent:
        response = json.loads(text, parse_constant=_refuse)
        assert response != []
        for one in response if type(response) is list else [response]:
            _check(one)


def one_input(data: bytes) -> None:
    """Run one input: messages, one a line."""
    with asyncio.Runner() as runner:
        runner.run(_serve(data.split(b"\n")[:8]))
