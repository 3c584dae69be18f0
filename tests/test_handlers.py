"""Requests that the circle sends, in both runtimes against the real one."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from circle_ws import InvalidRequest, RpcError
from circle_ws.engine import handlers
from circle_ws.engine.handlers import MAX_RUNNING
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers, RemotePeer


def subtract(minuend: int, subtrahend: int = 0) -> int:
    return minuend - subtrahend


async def slowly(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def refuse() -> None:
    raise RpcError(4711, "not today", {"until": "tomorrow"})


def break_down() -> None:
    raise RuntimeError("private matters")


def strange() -> object:
    return object()


@dataclass
class Point:
    x: int
    y: float = 0.5


def written() -> Any:
    return [Point(1), datetime(2026, 11, 28, tzinfo=UTC), {"id": UUID(int=7)}]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "subtract": subtract,
    "slowly": slowly,
    "refuse": refuse,
    "break": break_down,
    "strange": strange,
    "written": written,
}

ANSWERS: list[tuple[str, Any, Any]] = [
    ("subtract", [42, 23], {"result": 19}),
    ("subtract", {"subtrahend": 23, "minuend": 42}, {"result": 19}),
    ("subtract", [42], {"result": 42}),
    ("slowly", [[1, {"a": None}]], {"result": [1, {"a": None}]}),
    ("refuse", None, {"error": [4711, "not today", {"until": "tomorrow"}]}),
    ("break", None, {"error": [-32603, "internal error", None]}),
    ("written", None, {"result": [{"x": 1, "y": 0.5}, "2026-11-28T00:00:00Z", {"id": str(UUID(int=7))}]}),
    ("strange", None, {"error": [-32603, "internal error", None]}),
]


@pytest.mark.parametrize(("method", "params", "answer"), ANSWERS)
async def test_a_function_answers(peers: Peers, method: str, params: Any, answer: Any) -> None:
    """By position and by name, sync and async; errors of ours are told, others are ours alone."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        for name, function in FUNCTIONS.items():
            it.handle(name, function)
        assert await circle.ask("ask_client", method=method, params=params) == answer


@pytest.mark.parametrize("params", [[], [1, 2, 3], {"minuend": 1, "what": 2}], ids=repr)
async def test_params_that_do_not_fit(peers: Peers, params: Any) -> None:
    """-32602, in words."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        it.handle("subtract", subtract)
        answer = await circle.ask("ask_client", method="subtract", params=params)
    assert answer["error"][0] == -32602
    assert "invalid params" in answer["error"][1]


def place(name: str, points: list[Point], at: datetime | None = None) -> Any:
    return [name, [point.x + point.y for point in points], at is None or at.year]


@pytest.mark.parametrize(
    ("params", "answer"),
    [
        (["a", [{"x": 1}]], {"result": ["a", [1.5], True]}),
        ({"points": [], "name": "a", "at": "2026-11-28T22:37:00Z"}, {"result": ["a", [], 2026]}),
        (["a", [{"x": 1}, {"x": "2"}]], {"error": "params[1][1].x: expected int, got str"}),
        ({"name": "a", "points": [{"x": None}]}, {"error": "params.points[0].x: expected int, got null"}),
        ({"name": 5, "points": []}, {"error": "params.name: expected str, got int"}),
        (["a", {}], {"error": "params[1]: expected array, got object"}),
        (["a", [], "yesterday"], {"error": "params[2]: invalid RFC3339 encoded datetime"}),
    ],
    ids=repr,
)
async def test_params_are_converted_to_the_annotations(peers: Peers, params: Any, answer: Any) -> None:
    """Strictly, by position and by name, also what is nested; -32602 says where it does not fit."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        it.handle("place", place)
        found = await circle.ask("ask_client", method="place", params=params)
    if "error" in answer:
        answer = {"error": [-32602, f"invalid params: {answer['error']}", None]}
    assert found == answer


def test_annotations_that_nothing_can_be_converted_to() -> None:
    """They are refused with the handler, not when the first request comes."""

    def function(loop: asyncio.AbstractEventLoop, peers: Peers) -> None: ...

    def later_known(a: "Nothing") -> None: ...  # type: ignore[name-defined] # noqa: F821

    it = client("ws://localhost/")
    with pytest.raises(InvalidRequest, match="the method 'f': the annotation of the parameter 'loop': JSON"):
        it.handle("f", function)
    with pytest.raises(InvalidRequest, match="the method 'f': the annotation 'Nothing' of the parameter 'a'"):
        it.handle("f", later_known)
    it.handle("f", subtract)


async def test_requests_without_a_handler(peers: Peers) -> None:
    """-32601, also after the handler was removed; the same method can then be answered anew."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        assert (await circle.ask("ask_client", method="f"))["error"][0] == -32601
        remove = it.handle("f", lambda: 1)
        assert await circle.ask("ask_client", method="f") == {"result": 1}
        remove()
        remove()
        assert (await circle.ask("ask_client", method="f"))["error"][0] == -32601
        it.handle("f", lambda: 2)
        remove()
        assert await circle.ask("ask_client", method="f") == {"result": 2}


@pytest.mark.parametrize(("method", "function"), [("", subtract), (5, subtract), ("f", "function"), ("f", None)])
def test_bad_handlers(method: Any, function: Any) -> None:
    """A name that is none, and what is no function, are refused at once."""
    with pytest.raises(InvalidRequest):
        client("ws://localhost/").handle(method, function)


def test_two_handlers_for_one_method() -> None:
    """One of them would never be called."""
    it = client("ws://localhost/")
    it.handle("f", subtract)
    with pytest.raises(InvalidRequest, match="answered already"):
        it.handle("f", subtract)


async def test_a_handler_may_use_the_client(peers: Peers) -> None:
    """It does not run on the reader: a call made from it is answered."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:

        async def around(value: Any) -> Any:
            return [await it.call("echo", [value])]

        it.handle("around", around)
        assert await circle.ask("ask_client", method="around", params=["x"]) == {"result": ["x"]}


async def test_a_slow_handler_blocks_nothing(peers: Peers) -> None:
    """While it runs calls are answered, and so are other requests."""
    circle = await peers.start("circle")
    release = asyncio.Event()
    async with client(circle.url) as it:
        it.handle("wait", release.wait)
        it.handle("f", lambda: 1)
        waiting = later(circle.ask("ask_client", method="wait"))
        assert await circle.ask("ask_client", method="f") == {"result": 1}
        assert await it.call("echo", [1]) == 1
        release.set()
        assert await waiting == {"result": True}


async def test_handlers_live_through_a_reconnect(peers: Peers) -> None:
    """They belong to the client; what runs for a connection that is lost ends, and its answer goes nowhere."""
    circle = await peers.start("circle")
    started, release = asyncio.Event(), asyncio.Event()
    ends: list[str] = []

    async def wait() -> str:
        started.set()
        await release.wait()
        ends.append("ended")
        return "too late"

    async with client(circle.url) as it:
        it.handle("wait", wait)
        it.handle("f", lambda: 1)
        lost = later(circle.ask("ask_client", method="wait"))
        await started.wait()
        await circle.ask("cut_all")
        await lost
        await eventually(lambda: not it.is_connected())
        await it.wait_until_connected()
        release.set()
        await eventually(lambda: ends)
        await until(circle, "public_keys")
        assert await circle.ask("ask_client", method="f") == {"result": 1}
        assert it.stats.connects == 2


async def test_closing_ends_what_runs(peers: Peers) -> None:
    """`close()` leaves no handler behind."""
    circle = await peers.start("circle")
    started = asyncio.Event()
    ends: list[str] = []

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("ended")

    async with client(circle.url) as it:
        it.handle("wait", wait)
        asking = later(circle.ask("ask_client", method="wait"))
        await started.wait()
    assert ends == ["ended"]
    await asking


async def test_a_handler_may_close_the_client(peers: Peers) -> None:
    """`close()` can be called from anywhere, and returns."""
    circle = await peers.start("circle")
    ends: list[str] = []
    it = client(circle.url)
    await it.connect()

    async def close() -> None:
        await it.close()
        ends.append("closed")

    it.handle("close", close)
    asking = later(circle.ask("ask_client", method="close"))
    await eventually(lambda: ends)
    await it.close()
    await asking


async def test_too_many_at_once(peers: Peers) -> None:
    """At most 256 are answered at the same time; one more is told to come later."""
    circle = await peers.start("circle")
    release = asyncio.Event()
    running = 0

    async def wait() -> bool:
        nonlocal running
        running += 1
        return await release.wait()

    async with client(circle.url) as it:
        it.handle("wait", wait)
        asked = [["wait", None]] * (MAX_RUNNING // 2)
        together = [later(circle.ask("ask_client_together", requests=asked)) for _ in range(2)]
        await eventually(lambda: running == MAX_RUNNING)
        replies: list[str] = []
        it._supervisor.handlers.take({"jsonrpc": "2.0", "id": 1, "method": "wait"}, replies.append)
        assert "-32005" in replies[0]
        release.set()
        for answers in together:
            assert await answers == [True] * len(asked)


async def test_too_large_at_once(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being answered is bounded in bytes too: over it one is told to come later, and then may come again."""
    monkeypatch.setattr(handlers, "MAX_BYTES", 100_000)
    circle = await peers.start("circle")
    release = asyncio.Event()
    running = 0

    async def wait(text: str) -> bool:
        nonlocal running
        running += 1
        return await release.wait()

    async with client(circle.url) as it:
        it.handle("wait", wait)
        one = later(circle.ask("ask_client_together", requests=[["wait", ["x" * 60_000]]] * 2))
        await eventually(lambda: running == 1)
        # Large for the limit, but alone it would be taken; and what is small has room.
        again = [["wait", ["x" * 60_000]], ["wait", ["x"]]]
        other = later(circle.ask("ask_client_together", requests=again))
        await eventually(lambda: running == 2)
        release.set()
        assert await one == [True, -32005]
        assert await other == [-32005, True]
        assert await circle.ask("ask_client_together", requests=[["wait", ["x" * 200_000]]]) == [True]
        assert it._supervisor.handlers._weight == 0


async def test_a_batch_is_answered_with_one(peers: Peers) -> None:
    """The circle's batch has its answers in one array, errors among them."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        it.handle("subtract", subtract)
        it.handle("slowly", slowly)
        requests = [["slowly", ["late"]], ["subtract", [3, 1]], ["nothing", None], ["subtract", []]]
        assert await circle.ask("ask_client_together", requests=requests) == ["late", 2, -32601, -32602]


async def test_a_reply_that_is_too_large(peers: Peers) -> None:
    """The circle would close the connection for it; it is told of an error instead."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        it.handle("large", lambda: "x" * 100_000)
        assert (await circle.ask("ask_client", method="large"))["error"][0] == -32603
        assert it.is_connected()


async def test_the_answers_to_a_batch_are_bounded_together(peers: Peers) -> None:
    """They wait for the slowest one, so those that are too large together are replaced by errors."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        it.handle("large", lambda: "x" * 30_000)
        asked = [["large", None]] * 5
        answers = await circle.ask("ask_client_together", requests=asked)
        assert answers == ["x" * 30_000] * 2 + [-32005] * 3
        assert it.is_connected()


async def _ask_in_a_batch(peer: RemotePeer, method: str, count: int) -> Any:
    """Ask for so much in one message; give the one reply, which must be within the limit."""
    requests = [{"jsonrpc": "2.0", "id": id, "method": method} for id in range(count)]
    await peer.ask("send", text=json.dumps(requests))
    (text,) = await until(peer, "received")
    assert len(text.encode()) <= 65_536
    return json.loads(text)


@pytest.mark.parametrize("method", ["h", "unknown"])
async def test_a_batch_that_cannot_be_answered_is_refused_before_anything_is_run(peers: Peers, method: str) -> None:
    """Where not even errors for all would have room: once, without an id; nothing runs whose result would be lost."""
    peer = await peers.start("scripted")
    ran: list[int] = []
    async with client(peer.url, key=None, max_request_bytes=65_536) as it:
        it.handle("h", lambda: ran.append(1))
        reply = await _ask_in_a_batch(peer, method, 1000)
        assert (reply["id"], reply["error"]["code"]) == (None, -32600)
        assert "1000 requests" in reply["error"]["message"]
        assert ran == []
        assert it.is_connected()


async def test_refusals_take_no_room_from_results(peers: Peers) -> None:
    """Of a batch that runs in part, every result of what was run goes out."""
    peer = await peers.start("scripted")
    ran: list[int] = []

    async def run() -> str:
        ran.append(1)
        await asyncio.sleep(0)
        return "x" * 50

    async with client(peer.url, key=None, max_request_bytes=65_536) as it:
        it.handle("h", run)
        replies = await _ask_in_a_batch(peer, "h", 450)
        results = [reply for reply in replies if "result" in reply]
        assert len(results) == len(ran) == MAX_RUNNING
        assert sorted(reply["id"] for reply in replies) == list(range(450))
        assert {reply["error"]["code"] for reply in replies if "error" in reply} == {-32005}


async def test_the_reply_to_a_batch_is_within_the_limit(peers: Peers) -> None:
    """However large the results are: those that have no room are replaced, one by one."""
    peer = await peers.start("scripted")
    async with client(peer.url, key=None, max_request_bytes=65_536) as it:
        it.handle("h", lambda: "\xe9" * 500)
        replies = await _ask_in_a_batch(peer, "h", 250)
        results = [reply for reply in replies if "result" in reply]
        assert 20 < len(results) < 65
        assert len(replies) == 250


@pytest.mark.parametrize("method", ["f", "unknown"])
async def test_a_request_with_an_endless_id_is_not_answered(peers: Peers, method: str) -> None:
    """The id is in the reply, which is bounded: such a request is malformed, and told of."""
    peer = await peers.start("scripted", answers={"g": {"result": "fine"}})
    async with client(peer.url, key=None) as it:
        it.handle("f", lambda: 1)
        await it.call("g")
        await peer.ask("send", text=f'{{"jsonrpc":"2.0","id":"{"x" * 100_000}","method":"{method}"}}')
        await eventually(lambda: it.stats.protocol_errors == 1)
        assert await it.call("g") == "fine"
        assert len(await peer.ask("received")) == 2
