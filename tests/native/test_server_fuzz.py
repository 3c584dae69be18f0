"""Whatever a client sends, the circle lives, and says nothing but JSON-RPC 2.0."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from circle_ws.server import CircleServer
from circle_ws.testing import loop
from tests.native.by_hand import sign_in
from tests.support.outcomes import eventually

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    ["echo", "both", "later", "fail", "whoami", "play", "rpc.ping", "fetch_nonce", "authenticate", "none", ""]
)
param_names = st.sampled_from(["value", "pubkey", "signature", "credentials", "script", "profile", "x"])
params = st.lists(plain, max_size=3) | st.dictionaries(param_names, plain, max_size=3) | plain
members = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | plain,
        "method": names | plain,
        "params": params,
        "id": st.integers() | st.text(max_size=8) | plain,
        "result": plain,
        "error": st.fixed_dictionaries({"code": st.integers(), "message": st.text(max_size=8)}) | plain,
    },
)
requests = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": names}, optional={"id": st.integers() | st.text(max_size=8), "params": params}
)
messages = (
    (requests | members | plain | st.lists(requests | members | plain, max_size=6)).map(json.dumps)
    | st.text(max_size=200)
    | st.binary(max_size=200)
)
frames = st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40)).map(
    lambda parts: bytes(parts[:2]) + parts[2]
)
"""What may be no WebSocket at all."""


def check(response: Any) -> None:
    """Check one response, or one push, against JSON-RPC 2.0 section 5."""
    assert type(response) is dict
    assert response.pop("jsonrpc") == "2.0"
    id = response.pop("id")
    assert id is None or type(id) in (str, int, float)
    [(member, value)] = response.items()
    if member == "error":
        assert set(value) <= {"code", "message", "data"}
        assert type(value["code"]) is int
        assert type(value["message"]) is str
    else:
        assert member == "result"


def strict(text: str | bytes) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    assert type(text) is str
    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def circle() -> Any:
    server = CircleServer(play=str.upper, public_url="wss://circle.example/")

    @server.method()
    def echo(value: Any = None) -> Any:
        return value

    @server.method()
    def both(*value: Any) -> Any:
        return value

    @server.method()
    async def later(value: Any, **rest: Any) -> Any:
        return [value, rest]

    @server.method()
    def fail() -> None:
        raise RuntimeError("a fault")

    loop.run(server.start())
    yield server
    loop.run(server.stop())


async def spoken(url: str, sent: list[Any], signed: bool) -> list[str | bytes]:
    """Send messages; give all that comes in before the reply to a last request."""
    async with connect(url) as socket:
        if signed:
            await sign_in(socket)
        for message in sent:
            await socket.send(message)
        await socket.send('{"jsonrpc":"2.0","id":"the end of it","method":"rpc.ping"}')
        found = [await socket.recv()]
        while found[-1] != '{"jsonrpc":"2.0","id":"the end of it","result":"pong"}':
            found.append(await socket.recv())
        return found


@given(st.lists(messages, min_size=1, max_size=4), st.booleans())
@example(['{"jsonrpc":"2.0","id":1e400,"method":"echo"}'], True)
@example(['{"jsonrpc":"2.0","id":"\\ud800","method":"echo"}'], True)
@example(['{"jsonrpc":"2.0","id":' + "9" * 1000 + ',"method":"echo"}'], True)
@example(["[" * 60_000], True)
@example(['{"a":' * 10_000 + "1" + "}" * 10_000], False)
@example(['[{"jsonrpc":"2.0","method":"echo","id":1},' + "[" * 700 + "]" * 700 + "]"], True)
@example([b"\xff\xfe", b"", ""], False)
@example(["\ufeff{}"], False)
@example([json.dumps({"jsonrpc": "2.0", "id": 1, "method": "echo", "params": [10**999]})], True)
def test_any_message_is_answered_by_the_book(circle: CircleServer, sent: list[Any], signed: bool) -> None:
    """Each message gets one response, one array of them, or none, and the next one is answered as ever."""
    found = [strict(text) for text in loop.run(spoken(circle.url, sent, signed))]
    assert len(found) <= len(sent) + 1
    for response in found:
        assert response != []
        for one in response if type(response) is list else [response]:
            check(one)


async def broken(url: str, data: bytes, masked: bool) -> None:
    """Send bytes in the place of a frame, or a frame of any kind, and see that others are served."""
    async with connect(url) as socket:
        if masked:
            socket.transport.write(Frame(Opcode.TEXT, data).serialize(mask=True))
        socket.transport.write(data)
        socket.transport.write_eof()
        await until_closed(socket)
    async with connect(url) as socket:
        await socket.send('{"jsonrpc":"2.0","id":1,"method":"rpc.ping"}')
        assert strict(await socket.recv())["result"] == "pong"


async def until_closed(socket: ClientConnection) -> None:
    try:
        while True:
            response = strict(await socket.recv())
            for one in response if type(response) is list else [response]:
                check(one)
    except ConnectionClosed:
        pass


@given(frames, st.booleans())
def test_no_bytes_end_a_circle(circle: CircleServer, data: bytes, masked: bool) -> None:
    """What is no WebSocket frame, or no UTF-8, ends that connection at most; other clients are served."""
    loop.run(broken(circle.url, data, masked))


async def test_nothing_is_left(circle: CircleServer) -> None:
    """After all of that the circle holds no connection."""
    await eventually(lambda: not circle.connections)
