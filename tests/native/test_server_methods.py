"""What methods may do wrong, what is pushed to whom, and which keys a circle remembers."""

import asyncio
import enum
import json
from collections.abc import AsyncGenerator, Iterator, MutableSet
from datetime import date
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from circle_ws.auth import derive_public_key, sign_message
from circle_ws.auth.profiles import audience, bound_statement
from circle_ws.errors import ConfigError, InvalidKey, InvalidRequest, RpcError
from circle_ws.server import CircleServer, Connection
from tests.native.by_hand import ask, request, sign_in, signed_in
from tests.support.clients import KEY, OTHER_KEY
from tests.support.outcomes import eventually

COMPRESSED = derive_public_key(KEY, compressed=True)
PUBLIC_URL = "wss://circle.example/"


class Code(enum.IntEnum):
    """A program's own codes."""

    OWN = 77


def raised(error: BaseException) -> Any:
    """Make a method that raises."""

    def method() -> None:
        raise error

    return method


def awaited(error: BaseException) -> Any:
    """Make an async method that raises."""

    async def method() -> None:
        await asyncio.sleep(0)
        raise error

    return method


@pytest.fixture
async def circle() -> AsyncGenerator[CircleServer]:
    async with CircleServer(public_url=PUBLIC_URL) as server:
        yield server


INTERNAL = {"code": -32603, "message": "internal error"}
wrong: Any = "seven"
no_text: Any = ["words"]
FAILURES: list[tuple[BaseException, dict[str, Any]]] = [
    (RpcError(-32000, "words", {"more": [1, None]}), {"code": -32000, "message": "words", "data": {"more": [1, None]}}),
    (RpcError(Code.OWN, "words"), {"code": 77, "message": "words"}),
    (RpcError(77, "words", {object()}), {"code": 77, "message": "words"}),
    (RpcError(77, "half a pair: \ud800"), INTERNAL),
    (RpcError(wrong, "words"), INTERNAL),
    (RpcError(True, "words"), INTERNAL),
    (RpcError(77, no_text), INTERNAL),
    (ValueError("details"), INTERNAL),
    (asyncio.CancelledError(), INTERNAL),
    (TimeoutError(), INTERNAL),
]


@pytest.mark.parametrize(("error", "answer"), FAILURES, ids=[str(number) for number in range(len(FAILURES))])
@pytest.mark.parametrize("make", [raised, awaited])
async def test_what_a_method_raises(
    circle: CircleServer, caplog: pytest.LogCaptureFixture, make: Any, error: BaseException, answer: dict[str, Any]
) -> None:
    """An error response always, with the method's own words where they are good, and a log entry where they are not."""
    circle.method("wrong")(make(error))
    async with signed_in(circle) as socket:
        assert (await ask(socket, "wrong"))["error"] == answer
        await socket.send('{"jsonrpc":"2.0","method":"wrong"}')
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"
    good = answer != INTERNAL and getattr(error, "data", None) == answer.get("data")
    assert (caplog.records == []) is good


async def test_what_a_client_says_of_itself_is_in_no_answer(circle: CircleServer) -> None:
    """A long name of a method or a param is not sent back whole."""
    circle.method("short")(lambda: None)
    async with signed_in(circle) as socket:
        assert len((await ask(socket, "x" * 50_000))["error"]["message"]) < 200
        assert len((await ask(socket, "short", {"x" * 50_000: 1}))["error"]["message"]) < 200


@pytest.mark.parametrize("name", ["fetch_nonce", "authenticate", "rpc.ping"])
def test_the_circles_own_methods_are_no_bodys(name: str) -> None:
    """Registering one of them would have no effect, so it is refused; `whoami` and `play` may be replaced."""
    server = CircleServer()
    with pytest.raises(ConfigError, match=name):
        server.method(name)(raised(ValueError()))
    server.method("whoami")(raised(ValueError()))


async def test_a_cancelled_method_may_take_its_time_to_end(circle: CircleServer) -> None:
    """When its client goes a method is cancelled once; what it does about that is waited for."""
    running = asyncio.Event()
    ended: list[str] = []

    @circle.method()
    async def hold() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            ended.append("in peace")

    async with signed_in(circle) as socket:
        await socket.send(json.dumps(request("hold")))
        await running.wait()
    await eventually(lambda: not circle.connections)
    assert ended == ["in peace"]


async def test_a_request_whose_client_is_gone_at_once_leaves_nothing(circle: CircleServer) -> None:
    """Methods that were about to start are cancelled without a warning."""

    @circle.method()
    async def hold() -> None:
        await asyncio.Event().wait()

    for _ in range(20):
        async with connect(circle.url) as socket:
            await sign_in(socket)
            for number in range(20):
                socket.protocol.send_text(json.dumps(request("hold", None, number)).encode())
            socket.send_data()
            socket.transport.close()
        await eventually(lambda: not circle.connections)


class Thing:
    """What no codec writes."""


@pytest.mark.parametrize("result", [Thing(), {"a": [1, Thing()]}, float("nan"), {1: 2}, "\ud800"])
@pytest.mark.parametrize("make", ["sync", "async"])
async def test_a_result_that_cannot_be_sent_is_told_by_the_methods_name(
    circle: CircleServer, caplog: pytest.LogCaptureFixture, result: Any, make: str
) -> None:
    """The client hears which method it was, the log says why in one line and without a traceback."""

    async def slow() -> Any:
        return result

    circle.method("thing")(slow if make == "async" else lambda: result)
    async with signed_in(circle) as socket:
        error = (await ask(socket, "thing"))["error"]
    assert error == {"code": -32603, "message": "internal error: the result of thing cannot be written as JSON"}
    [record] = caplog.records
    assert record.exc_info is None
    words = record.getMessage()
    assert words.startswith("method 'thing' gave a result that cannot be sent: the result")
    assert "\n" not in words
    assert "params" not in words


# Pushing.


async def received(socket: ClientConnection) -> list[Any]:
    """Return the params of the notifications before the reply to a ping."""
    await socket.send(json.dumps(request("rpc.ping")))
    found = []
    while "id" not in (one := json.loads(await socket.recv())):
        found.append(one["params"])
    return found


@pytest.mark.parametrize("compressed", [True, False])
async def test_publish_to_one_key(circle: CircleServer, compressed: bool) -> None:
    """Every connection of that key gets it, given in either form, and no other."""
    key = derive_public_key(KEY, compressed=compressed)
    async with signed_in(circle) as one, signed_in(circle) as two, signed_in(circle, OTHER_KEY) as other:
        assert circle.publish("news", [1], to=key.upper()) == 2
        assert circle.publish("news", [2]) == 3
        assert circle.publish("news", [3], to=derive_public_key("01" * 32)) == 0
        assert [await received(socket) for socket in (one, two, other)] == [[[1], [2]], [[1], [2]], [[2]]]
    with pytest.raises(InvalidKey):
        circle.publish("news", to="no key")


async def test_who_is_gone_is_not_counted(circle: CircleServer) -> None:
    """A client that is being closed is sent nothing, and a push to it is lost in silence."""
    async with signed_in(circle) as one, signed_in(circle, OTHER_KEY):
        [first, _] = circle.connections
        closing = asyncio.ensure_future(first.close())
        await asyncio.sleep(0)
        assert circle.publish("news", [1]) == 1
        first.notify("news", [2])
        await closing
        with pytest.raises(InvalidRequest):
            circle.publish("news", "text")  # type: ignore[arg-type]
        await one.wait_closed()


async def test_a_method_pushes_to_its_caller_before_it_answers(circle: CircleServer) -> None:
    """What is pushed first is sent first, also by a method that waits for nothing."""

    @circle.method()
    def work(connection: Connection) -> str:
        connection.notify("progress", [50])
        return "done"

    async with signed_in(circle) as socket:
        assert await ask(socket, "work") == {"jsonrpc": "2.0", "method": "progress", "params": [50]}
        assert json.loads(await socket.recv())["result"] == "done"


# Keys that signed bound.


class Kept(MutableSet[str]):
    """A program's own set: only what a circle asks of it does anything."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.broken = False

    def __contains__(self, key: object) -> bool:
        return key in self.keys

    def add(self, key: str) -> None:
        if self.broken:
            raise OSError("the disk is full")
        if key not in self.keys:
            self.keys.append(key)

    def discard(self, key: str) -> None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        # As a set that does not know: a circle must not take an empty one for none.
        return 0


async def sign_in_bound(socket: ClientConnection) -> Any:
    given = (await ask(socket, "fetch_nonce", [COMPRESSED]))["result"]
    named = {"client_nonce": "ab" * 16, "expires_at": given["expires_at"]}
    statement = bound_statement(
        "circle-bound-v1", audience=audience(PUBLIC_URL), public_key=COMPRESSED, nonce=given["nonce"], **named
    )
    proof = {"pubkey": COMPRESSED, "signature": sign_message(KEY, statement, "circle-bound-v1")}
    return await ask(socket, "authenticate", {**proof, "profile": "circle-bound-v1", **named})


async def test_keys_that_signed_bound_are_kept_where_the_program_says() -> None:
    """Another circle with the same set refuses a bare signature of a key that signed bound with the first."""
    kept = Kept()
    async with CircleServer(public_url=PUBLIC_URL, signed_bound=kept) as server, connect(server.url) as socket:
        assert await sign_in(socket) is True
        assert kept.keys == []
        assert (await sign_in_bound(socket))["result"] is True
    assert kept.keys == [COMPRESSED]
    async with CircleServer(public_url=PUBLIC_URL, signed_bound=kept) as server, connect(server.url) as socket:
        assert await sign_in(socket) is False
    async with CircleServer(public_url=PUBLIC_URL) as server, connect(server.url) as socket:
        assert await sign_in(socket) is True


async def test_a_set_that_fails_accepts_no_client(caplog: pytest.LogCaptureFixture) -> None:
    """A key that cannot be remembered is not signed in; the circle lives on."""
    kept = Kept()
    kept.broken = True
    async with CircleServer(public_url=PUBLIC_URL, signed_bound=kept) as server, connect(server.url) as socket:
        assert (await sign_in_bound(socket))["error"] == INTERNAL
        assert (await ask(socket, "whoami"))["error"]["code"] == -32001
    assert "the disk is full" in caplog.text


async def test_a_result_that_raises_while_it_is_written() -> None:
    """A class of the method's author may; the connection goes on, and the answer names the method."""

    class Odd:
        def to_py(self, *, depth: int) -> Any:
            raise ValueError("details")

    async with CircleServer() as server, signed_in(server) as socket:

        @server.method()
        def odd() -> Odd:
            return Odd()

        @server.method()
        def refuse() -> None:
            raise RpcError(5, "words", Odd())

        error = (await ask(socket, "odd"))["error"]
        assert error == {"code": -32603, "message": "internal error: the result of odd cannot be written as JSON"}
        assert (await ask(socket, "refuse"))["error"] == {"code": 5, "message": "words"}
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"


@pytest.mark.parametrize("thread", [False, True])
async def test_params_are_converted_to_the_annotations(thread: bool) -> None:
    """Of plain functions, and of those in threads, whose annotations are found through the wrapper."""
    async with CircleServer() as server, signed_in(server) as socket:

        @server.method(thread=thread)
        def scale(connection: Connection, factor: float, days: list[date], *more: int) -> Any:
            return [connection.public_key is not None, factor, [day.year for day in days], more]

        assert (await ask(socket, "scale", [2, ["2026-11-28"], 1]))["result"] == [True, 2.0, [2026], [1]]
        assert (await ask(socket, "scale", {"days": [], "factor": 1}))["result"] == [True, 1.0, [], []]
        for params, words in (
            (["2", []], "params[0]: expected float, got str"),
            ({"factor": 1, "days": ["2026-11-28", 5]}, "params.days[1]: expected date, got int"),
            ([1, [], 1, None], "params[3]: expected int, got null"),
        ):
            error = (await ask(socket, "scale", params))["error"]
            assert error == {"code": -32602, "message": f"invalid params: {words}"}


def test_annotations_that_nothing_can_be_converted_to() -> None:
    """They are refused with the method, not when the first caller comes."""
    server = CircleServer()
    with pytest.raises(ConfigError, match="the method f: the annotation of the parameter 'other': JSON"):

        @server.method()
        def f(connection: Connection, other: CircleServer) -> None: ...

    with pytest.raises(ConfigError, match="the method g: the annotation 'Nothing' of the parameter 'a' cannot"):

        @server.method()
        def g(a: "Nothing") -> None: ...  # type: ignore[name-defined] # noqa: F821
