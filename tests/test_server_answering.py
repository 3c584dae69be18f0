"""A circle without sockets, as any runtime can run it: signs in, converts params, answers batches, asks its client."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import get_ident
from typing import TYPE_CHECKING, Any, cast

import pytest

import circle_ws.server
from circle_ws.auth import derive_public_key, sign_message
from circle_ws.errors import ConnectionLost, OutcomeUnknown, RpcError
from circle_ws.jsonrpc.methods import Method
from circle_ws.server import Connection
from circle_ws.server.answering import ClientSession
from circle_ws.server.rules import Rules
from circle_ws.testing.loop import settle
from tests.support.clients import KEY
from tests.support.outcomes import later

if TYPE_CHECKING:
    from circle_ws.server.socket import ClientSocket

PUBLIC_KEY = derive_public_key(KEY, compressed=True)


class Socket:
    """A client's socket in memory.

    Attributes:
        sent: The decoded messages to the client.
        dropped: Why and with which code the connection was closed.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.thread = get_ident()
        self.when_lost: Callable[[], object] | None = None
        self.sent: list[Any] = []
        self.dropped: list[tuple[str, int]] = []
        self._incoming: asyncio.Queue[str | None] = asyncio.Queue()

    def receive(self, message: Any) -> None:
        """Send a message as the client; None ends the connection."""
        self._incoming.put_nowait(None if message is None else json.dumps(message))

    async def next_message(self) -> str | bytes | None:
        return await self._incoming.get()

    async def wait_until_read(self) -> None: ...

    def push(self, text: bytes) -> bool:
        self.sent.append(json.loads(text))
        return True

    def drop(self, why: str, code: int) -> None:
        self.dropped.append((why, code))

    def loss(self) -> ConnectionLost:
        return ConnectionLost("the client is gone")


class Served:
    """A client's session with a circle that answers `methods`."""

    def __init__(self, *methods: Callable[..., Any], signed_in: bool = True, **rules: Any) -> None:
        self.socket = Socket()
        named = {method.__name__: Method(method, Connection) for method in methods}
        given = Rules("hero-0.2", ("eip191",), None, None, 300.0, methods=named, **rules)
        self.session = ClientSession(given, cast("ClientSocket", self.socket))
        self.session.connection.public_key = PUBLIC_KEY if signed_in else None
        self.task = asyncio.ensure_future(self.session.serve())

    async def exchange(self, message: Any) -> Any:
        """Send a message; return the reply, or None where there is none."""
        before = len(self.socket.sent)
        self.socket.receive(message)
        for _ in range(100):
            await settle()
            if len(self.socket.sent) > before:
                break
        return self.socket.sent[before] if len(self.socket.sent) > before else None

    async def ask(self, method: str, params: Any = None) -> Any:
        """Call a method; return its result, or the code and message of its error."""
        reply = await self.exchange({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return reply["result"] if "result" in reply else (reply["error"]["code"], reply["error"]["message"])

    async def end(self) -> None:
        self.socket.receive(None)
        await self.task


@dataclass
class Point:
    x: int
    y: float = 0.0


async def add(a: int, b: list[int], at: Point | None = None) -> Any:
    await asyncio.sleep(0)
    return [a + sum(b), None if at is None else at.x + at.y]


def move(point: Point, to: datetime) -> Any:
    return {"moved": [Point(point.x + 1)], "at": to}


def whoami(connection: Connection, *, loud: bool = False) -> Any:
    return [connection.public_key, loud]


@pytest.mark.parametrize(
    ("method", "params", "answer"),
    [
        ("add", [1, [2, 3]], [6, None]),
        ("add", {"b": [2], "a": 1, "at": {"x": 1}}, [3, 1.0]),
        ("add", [1, ["2"]], (-32602, "invalid params: params[1][0]: expected int, got str")),
        ("add", {"a": 1, "b": ["2"]}, (-32602, "invalid params: params.b[0]: expected int, got str")),
        ("add", {"a": 1, "b": [], "at": {"x": 1.5}}, (-32602, "invalid params: params.at.x: expected int, got float")),
        ("add", {"a": 1}, (-32602, "invalid params: missing 'b'")),
        ("move", [{"x": 1}, "2026-11-28T22:37:00Z"], {"moved": [{"x": 2, "y": 0.0}], "at": "2026-11-28T22:37:00Z"}),
        ("whoami", None, [PUBLIC_KEY, False]),
        ("whoami", {"loud": True}, [PUBLIC_KEY, True]),
        ("whoami", {"loud": "yes"}, (-32602, "invalid params: params.loud: expected bool, got str")),
        ("nothing", None, (-32601, "method not found: nothing")),
    ],
)
async def test_methods_get_their_params_converted(method: str, params: Any, answer: Any) -> None:
    """Strictly, to their annotations; the error says where. What they return is written by the codec."""
    served = Served(add, move, whoami)
    assert await served.ask(method, params) == answer
    await served.end()


async def test_a_client_signs_in() -> None:
    """With a nonce and a signature; before, only the sign-in and the ping are answered."""
    served = Served(whoami, signed_in=False)
    assert await served.ask("rpc.ping") == "pong"
    assert (await served.ask("whoami"))[0] == -32001
    assert await served.ask("fetch_nonce", [5]) == (-32602, "invalid params: params[0]: expected str, got int")
    nonce = await served.ask("fetch_nonce", [PUBLIC_KEY])
    assert (await served.ask("authenticate", [PUBLIC_KEY, None]))[0] == -32602
    assert await served.ask("authenticate", [PUBLIC_KEY, sign_message(KEY, nonce)]) is True
    assert await served.ask("whoami") == [PUBLIC_KEY, False]
    await served.end()


async def test_a_client_that_fails_to_sign_in_is_dropped() -> None:
    """After five failures, with 1008."""
    served = Served(signed_in=False)
    for _ in range(5):
        assert await served.ask("authenticate", [PUBLIC_KEY, "00"]) is False
    assert (await served.ask("fetch_nonce", [PUBLIC_KEY]))[0] == -32001
    assert served.socket.dropped == [("5 failed sign-ins", 1008)]
    await served.end()


async def test_a_batch_has_one_reply() -> None:
    """Of members that succeed, fail, are malformed, or are notifications."""
    served = Served(add)
    members = [
        {"jsonrpc": "2.0", "id": "good", "method": "add", "params": [1, [2]]},
        {"jsonrpc": "2.0", "id": "bad", "method": "add", "params": [None, []]},
        {"jsonrpc": "2.0", "method": "add", "params": [1, [2]]},
        {"id": "malformed"},
    ]
    replies = {reply["id"]: reply for reply in await served.exchange(members)}
    assert replies["good"]["result"] == [3, None]
    assert replies["bad"]["error"]["code"] == -32602
    assert replies[None]["error"]["code"] == -32600
    assert len(replies) == 3
    assert await served.exchange(members[2:3]) is None
    await served.end()


async def test_a_method_asks_its_client() -> None:
    """The reply goes to the method, an error too; a client that goes leaves the outcome unknown."""

    async def ask_back(connection: Connection) -> Any:
        return await connection.call("question")

    served = Served(ask_back)
    question = await served.exchange({"jsonrpc": "2.0", "id": 1, "method": "ask_back"})
    assert question == {"jsonrpc": "2.0", "id": 1, "method": "question"}
    assert (await served.exchange({"jsonrpc": "2.0", "id": 1, "result": "answer"}))["result"] == "answer"
    question = await served.exchange({"jsonrpc": "2.0", "id": 2, "method": "ask_back"})
    error = {"code": 5, "message": "words"}
    assert (await served.exchange({"jsonrpc": "2.0", "id": question["id"], "error": error}))["error"] == error
    asking = later(served.session.connection.call("question"))
    await settle()
    await served.end()
    assert type(await asking) is OutcomeUnknown


async def test_an_error_of_the_methods_own_is_the_answer() -> None:
    """With its data; all others are internal errors."""

    def refuse(how: str) -> None:
        raise RpcError(7, "words", {"a": 1}) if how == "rpc" else KeyError("secret")

    served = Served(refuse)
    reply = await served.exchange({"jsonrpc": "2.0", "id": 1, "method": "refuse", "params": ["rpc"]})
    assert reply["error"] == {"code": 7, "message": "words", "data": {"a": 1}}
    assert await served.ask("refuse", ["other"]) == (-32603, "internal error")
    await served.end()


async def test_a_method_may_return_a_future(caplog: pytest.LogCaptureFixture) -> None:
    """As one that is no coroutine but is awaited all the same; what it raises is an error of the method's own."""
    loop = asyncio.get_running_loop()

    def soon(value: int) -> asyncio.Future[int]:
        future: asyncio.Future[int] = loop.create_future()
        loop.call_soon(future.set_result, value) if value else loop.call_soon(future.set_exception, KeyError("secret"))
        return future

    served = Served(soon)
    assert await served.ask("soon", [7]) == 7
    assert await served.ask("soon", [0]) == (-32603, "internal error")
    await served.end()


async def test_a_response_that_cannot_be_sent_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the socket raises; the session goes on."""
    served = Served(add)

    def push(text: bytes) -> bool:
        raise OSError("a fault of the socket's")

    monkeypatch.setattr(served.socket, "push", push)
    assert await served.exchange({"jsonrpc": "2.0", "id": 1, "method": "add", "params": [1, []]}) is None
    monkeypatch.undo()
    assert "a response could not be sent" in caplog.text
    assert await served.ask("add", [1, [2]]) == [3, None]
    await served.end()


def test_the_package_has_the_names_that_it_says() -> None:
    """`CircleServer` is loaded on use, and an unknown name is none."""
    assert circle_ws.server.__all__ == ["CircleServer", "Connection"]
    if sys.platform == "emscripten":
        with pytest.raises(ImportError, match="needs websockets: it is for native Python"):
            circle_ws.server.CircleServer  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        circle_ws.server.Nothing  # noqa: B018
