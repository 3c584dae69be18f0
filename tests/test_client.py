"""The main job, in both runtimes against the real circle: sign in, call, notify, listen."""

import asyncio
import itertools
import json
import logging
from typing import Any

import pytest

import circle_ws
from circle_ws import (
    CallTimeout,
    CircleWsClientBuilder,
    InvalidRequest,
    MessageTooLarge,
    ProtocolError,
    QueueFull,
    RpcError,
)
from circle_ws.auth import derive_public_key
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import CAPABILITIES, MemoryPeer, MemoryTransport
from tests.support.clients import KEY, client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers


@pytest.mark.parametrize(
    ("spoken", "dialect", "profile"),
    [
        *itertools.product(("hero-0.2", "circles-1.0"), ("auto",), ("eip191", "sha256-compact")),
        ("hero-0.2", "hero-0.2", "eip191"),
        ("circles-1.0", "circles-1.0", "eip191"),
    ],
)
async def test_sign_in_and_get_answers(peers: Peers, spoken: str, dialect: Any, profile: str) -> None:
    """Each dialect and profile signs in, and the circle knows the key: coincurve has checked the signature."""
    circle = await peers.start("circle", dialect=spoken)
    builder = CircleWsClientBuilder(circle.url).with_keypair(KEY).with_auth(dialect=dialect, profile=profile)
    async with builder.build() as client:
        assert client.is_connected()
        assert await client.play("40 + 2") == "42"
        assert await client.whoami() == {"pubkey": derive_public_key(KEY, compressed=True)}
        assert client.public_key == derive_public_key(KEY, compressed=profile == "sha256-compact")
    assert not client.is_connected()


async def test_connect_is_awaitable_and_a_context_manager(peers: Peers) -> None:
    """`circle_ws.connect` gives a connected client both ways."""
    circle = await peers.start("circle")
    client = await circle_ws.connect(circle.url, private_key=KEY)
    assert await client.call("echo", ["by hand"]) == "by hand"
    await client.close()
    async with circle_ws.connect(circle.url, private_key=KEY) as client:
        assert await client.call("echo", ["in a block"]) == "in a block"


async def test_without_a_key_nothing_but_the_ping_is_answered(peers: Peers) -> None:
    """A client without a key connects, and the circle answers -32001 to what needs a sign-in."""
    circle = await peers.start("circle")
    async with client(circle.url, key=None) as anonymous:
        assert anonymous.public_key is None
        assert await anonymous.call("rpc.ping") == "pong"
        with pytest.raises(RpcError) as caught:
            await anonymous.call("echo", [1])
    assert caught.value.code == -32001


@pytest.mark.parametrize("value", [None, True, 0, -1.5, 10**30, "", "☃ 𝄞 \u0000", [], {}, [[1], {"a": [None]}]])
async def test_values_survive_the_round_trip(peers: Peers, value: Any) -> None:
    """What is sent by position and by name comes back the same."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        assert await it.call("echo", [value]) == value
        assert await it.call("echo", (value,)) == value
        assert await it.call("echo", {"value": value}) == value
        assert await it.call("echo") is None


async def test_an_error_of_the_circle_is_an_rpc_error(peers: Peers) -> None:
    """Code, message and data of an error come through; the client goes on."""
    circle = await peers.start(
        "scripted", answers={"f": {"error": {"code": 7, "message": "no", "data": [1, {"a": 2}]}}}
    )
    async with client(circle.url, key=None) as it:
        with pytest.raises(RpcError) as caught:
            await it.call("f")
        assert (caught.value.code, caught.value.message, caught.value.data) == (7, "no", [1, {"a": 2}])
        assert it.is_connected()


async def test_wrong_params_are_told_by_the_circle(peers: Peers) -> None:
    """Params that do not fit the method are -32602 and the message names the parameter; a fault inside is -32603."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        for method, params, code, words in (
            ("record", [], -32602, "'value'"),
            ("record", {"colour": 1}, -32602, "'value'"),
            ("no_such_method", None, -32601, "no_such_method"),
            ("fail", None, -32603, "internal error"),
            ("play", ["1 + x"], -32000, "execution failed"),
        ):
            with pytest.raises(RpcError, match=words) as caught:
                await it.call(method, params)
            assert caught.value.code == code


async def test_a_notification_is_written_and_not_answered(peers: Peers) -> None:
    """`notify` returns when it is written, and the circle runs it once, in order with the calls."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await it.notify("record", ["quietly"])
        assert await it.call("record", ["aloud"]) == 2
    assert await circle.ask("runs") == ["quietly", "aloud"]


async def test_pushed_notifications_reach_every_listener(peers: Peers) -> None:
    """Two listeners of a method get all of it from when they were made, one of another method nothing."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        async with it.notifications("tick") as first, it.notifications("tock") as other:
            await it.call("tick", [2])
            second = it.notifications("tick")
            await it.call("tick", [1])
            assert [await anext(first) for _ in range(3)] == [{"number": 0}, {"number": 1}, {"number": 0}]
            assert await anext(second) == {"number": 0}
            assert len(other) == 0
            assert await circle.ask("push", method="tock", params=["all"]) == 1
            assert await anext(other) == ["all"]
        assert [params async for params in first] == []
        waiting = later(anext(second))
    assert isinstance(await waiting, StopAsyncIteration)
    assert [params async for params in it.notifications("tick")] == []


async def test_a_slow_listener_loses_the_oldest_and_knows_how_many(peers: Peers) -> None:
    """1,024 notifications are kept; what is older is dropped and counted."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.notifications("tick") as ticks:
        await it.call("tick", [1030])
        assert ticks.dropped == 6
        assert await anext(ticks) == {"number": 6}


@pytest.mark.parametrize("shape", [{"result": "out"}, {"result": {"output": "out"}}])
async def test_play_understands_both_published_shapes(peers: Peers, shape: Any) -> None:
    """`play` gives the text, whether it comes bare or in an object."""
    circle = await peers.start("scripted", answers={"play": shape})
    async with client(circle.url, key=None) as it:
        assert await it.play("script") == "out"


async def test_another_shape_of_play_is_a_protocol_error(peers: Peers) -> None:
    """What is neither shape is not handed on as if it were the output."""
    circle = await peers.start("scripted", answers={"play": {"result": 42}})
    async with client(circle.url, key=None) as it:
        with pytest.raises(ProtocolError, match="output"):
            await it.play("script")


async def test_five_hundred_calls_at_once_get_their_own_answers(peers: Peers) -> None:
    """256 are in flight, the rest waits for slots, and each gets its own answer."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        assert await asyncio.gather(*(it.call("echo", [n]) for n in range(500))) == list(range(500))


async def test_slots_bound_what_is_unanswered_and_the_queue_what_waits(peers: Peers) -> None:
    """At most `max_in_flight` are written, `max_queued` wait, and one more is refused at once; all others are run."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=3, max_queued=2) as it:
        held = [later(it.call("hold", [n])) for n in range(5)]
        await until(circle, "runs", lambda runs: len(runs) == 3)
        with pytest.raises(QueueFull, match="max_queued"):
            await it.call("hold", ["one too many"])
        assert await circle.ask("runs") == [0, 1, 2]
        await circle.ask("release")
        assert await asyncio.gather(*held) == [0, 1, 2, 3, 4]
    assert await circle.ask("runs") == [0, 1, 2, 3, 4]


async def test_the_queue_is_bounded_in_bytes(peers: Peers) -> None:
    """What waits may be large only up to `max_queued_bytes`."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=1, max_queued_bytes=2000) as it:
        held = [later(it.call("hold", [text])) for text in ("a", "b" * 1500)]
        await until(circle, "runs")
        with pytest.raises(QueueFull, match="bytes"):
            await it.call("hold", ["c" * 1500])
        await circle.ask("release")
        assert await asyncio.gather(*held) == ["a", "b" * 1500]


async def test_a_call_ends_at_its_time_and_says_where(peers: Peers) -> None:
    """Without a reply the phase is `reply`, without a slot `queue`; the slot of the first is free afterwards."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=1) as it:
        replying = later(it.call("hold", ["written"], timeout=0.1))
        queueing = later(it.call("hold", ["queued"], timeout=0.05))
        queued, replied = await queueing, await replying
        assert isinstance(queued, CallTimeout)
        assert queued.phase == "queue"
        assert "has not run" in str(queued)
        assert isinstance(replied, CallTimeout)
        assert replied.phase == "reply"
        assert "may have run" in str(replied)
        assert await it.call("echo", ["free"]) == "free"
    assert await circle.ask("runs") == ["written"]


async def test_a_shorter_time_is_not_held_up_by_a_longer_one(peers: Peers) -> None:
    """Calls end at their own times, whatever the order in which they were made."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        order: list[str] = []

        async def hold(name: str, timeout: float) -> None:
            with pytest.raises(CallTimeout):
                await it.call("hold", [name], timeout=timeout)
            order.append(name)

        await asyncio.gather(hold("long", 0.3), hold("short", 0.05), hold("middle", 0.15))
        assert order == ["short", "middle", "long"]
        await it.close(drain=0)


async def test_a_late_reply_is_ignored(peers: Peers) -> None:
    """The reply to a call whose time was over, or that was cancelled, has no effect."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=2) as it:
        cancelled = asyncio.ensure_future(it.call("hold", ["cancelled"]))
        timed_out = later(it.call("hold", ["too late"], timeout=0.05))
        await timed_out
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await circle.ask("release")
        assert await asyncio.gather(*(it.call("echo", [n]) for n in range(10))) == list(range(10))


async def test_a_cancelled_waiting_call_is_never_sent(peers: Peers) -> None:
    """What is cancelled while it waits for a slot is not run."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=1) as it:
        held = later(it.call("hold", ["first"]))
        waiting = asyncio.ensure_future(it.call("record", ["never"]))
        await until(circle, "runs")
        waiting.cancel()
        await circle.ask("release")
        assert await held == "first"
    assert await circle.ask("runs") == ["first"]


async def test_too_large_a_request_is_refused_before_sending(peers: Peers) -> None:
    """Over `max_request_bytes` nothing is sent, and the message tells the sizes."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        with pytest.raises(MessageTooLarge, match="65536") as caught:
            await it.call("record", ["x" * 65536])
        assert caught.value.limit == 65536
        assert caught.value.size is not None
        assert caught.value.size > 65536
        assert await it.call("record", ["y" * 60000]) == 1


async def test_too_large_a_reply_fails_the_call_and_the_client_comes_back(peers: Peers) -> None:
    """A reply over `max_message_bytes` is `MessageTooLarge`; the client reconnects."""
    circle = await peers.start("circle")
    async with client(circle.url, max_message_bytes=1000) as it:
        with pytest.raises(MessageTooLarge, match="max_message_bytes"):
            await it.call("echo", ["x" * 2000])
        assert await it.call("echo", ["small"]) == "small"


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("f", [float("nan")], r"params\[0\]"),
        ("f", {"a": {1: 2}}, "params.a"),
        ("f", [object()], r"params\[0\] is a object"),
        ("f", ["\ud800"], "JSON"),
        ("f", "text", "params are"),
        ("f", 5, "params are"),
        ("", None, "method"),
        (None, None, "method"),
    ],
)
async def test_what_is_no_json_is_refused_before_sending(peers: Peers, method: Any, params: Any, words: str) -> None:
    """The error says what is wrong and where; nothing was sent and the client goes on."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        with pytest.raises(InvalidRequest, match=words):
            await it.call(method, params)
        with pytest.raises(InvalidRequest):
            await it.notify(method, params)
        assert await it.call("record", ["good"]) == 1


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "1", True])
async def test_a_bad_timeout_is_refused(peers: Peers, timeout: Any) -> None:
    """A timeout is a number of seconds; nothing else is guessed at."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        with pytest.raises(InvalidRequest, match="timeout"):
            await it.call("record", [1], timeout=timeout)
    assert await circle.ask("runs") == []


MALFORMED = [
    "no JSON",
    '{"jsonrpc":"2.0","id":1e400,"result":1}',
    '{"jsonrpc":"1.0","method":"tick"}',
    "[]",
    '"text"',
    '{"jsonrpc":"2.0","id":999999,"result":"nobody asked"}',
    '{"jsonrpc":"2.0","id":"1","result":"wrong type"}',
    '{"jsonrpc":"2.0","id":true,"result":"wrong type"}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
async def test_what_is_no_json_rpc_is_survived(peers: Peers, text: str) -> None:
    """A malformed message, or a reply to no open call, fails no call and does not end the connection."""
    circle = await peers.start("scripted", greeting=[text], answers={"f": {"result": "well"}})
    async with client(circle.url, key=None) as it:
        # While a call is unanswered some of them would be its reply.
        await eventually(lambda: it.stats.protocol_errors == 1)
        assert await it.call("f") == "well"
        await circle.ask("send", text=text)
        await eventually(lambda: it.stats.protocol_errors == 2)
        assert await it.call("f") == "well"
    assert await circle.ask("count") == 1


@pytest.mark.parametrize(
    "raw",
    [
        '{"jsonrpc":"2.0","id":$id,"result":1,"error":{"code":1,"message":"m"}}',
        '{"jsonrpc":"2.0","id":$id}',
        '{"id":$id,"result":1}',
        '{"jsonrpc":"2.0","id":$id,"error":"no object"}',
        '{"jsonrpc":"2.0","id":$id,"error":{"code":"text","message":"m"}}',
    ],
)
async def test_a_broken_reply_fails_its_own_call_only(peers: Peers, raw: str) -> None:
    """A reply that breaks JSON-RPC but names a call fails that call at once, and no other."""
    circle = await peers.start("scripted", answers={"bad": {"raw": raw}, "good": {"result": 1}})
    async with client(circle.url, key=None) as it:
        bad = later(it.call("bad"))
        assert await it.call("good") == 1
        assert isinstance(await bad, ProtocolError)


async def test_a_request_of_the_circle_is_answered_with_method_not_found(peers: Peers) -> None:
    """A request must be answered; this client offers no methods."""
    circle = await peers.start("scripted", answers={"f": {"result": 1}})
    async with client(circle.url, key=None) as it:
        await circle.ask("send", text='{"jsonrpc":"2.0","id":"s1","method":"client_method"}')
        assert await it.call("f") == 1
    answers = [text for text in await circle.ask("received") if '"error"' in text]
    assert len(answers) == 1
    assert '"id":"s1"' in answers[0]
    assert "-32601" in answers[0]


class _Instant(MemoryTransport):
    """Answers on the stack of `send`: the first call when the test says so, all others at once."""

    def __init__(self, receiver: Receiver, options: TransportOptions, peer: MemoryPeer) -> None:
        super().__init__(receiver, options, peer)
        self.sent: list[dict[str, Any]] = []

    def send(self, text: str) -> None:
        self.sent.append(json.loads(text))
        if len(self.sent) > 1:
            self.answer(self.sent[-1])

    def answer(self, request: dict[str, Any]) -> None:
        self.take(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": request["params"]}))


class _Instants:
    """Opens one such connection."""

    capabilities = CAPABILITIES

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> _Instant:
        peer = MemoryPeer(url)
        self.connection = _Instant(receiver, options, peer)
        peer.attach(self.connection)
        return self.connection


async def test_a_reply_on_the_stack_of_send_runs_nothing_twice(caplog: pytest.LogCaptureFixture) -> None:
    """A transport may deliver a reply before `send` returns: the calls that wait still go out once each, in order."""
    instants = _Instants()
    async with client("ws://localhost/", key=None, transport=instants, max_in_flight=1) as it:
        made = [later(it.call("f", [number])) for number in range(4)]
        await eventually(lambda: instants.connection.sent)
        instants.connection.answer(instants.connection.sent[0])
        assert await asyncio.gather(*made) == [[0], [1], [2], [3]]
        assert [request["params"] for request in instants.connection.sent] == [[0], [1], [2], [3]]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_closed_coroutine_holds_no_slot(peers: Peers) -> None:
    """Closing a coroutine that is driven by hand frees what it holds, written or waiting, as cancelling does."""
    circle = await peers.start("circle")
    async with client(circle.url, max_in_flight=2) as it:
        written = it.call("hold", ["written"], timeout=None)
        written.send(None)
        batch = it.batch()
        await batch.__aenter__()
        batch.call("hold", ["batch"])
        leaving = batch.__aexit__(None, None, None)
        leaving.send(None)
        waiting, told = it.call("record", ["waiting"], timeout=None), it.notify("record", ["told"])
        waiting.send(None)
        told.send(None)
        for coroutine in (told, waiting, written, leaving):
            coroutine.close()
        # Both slots are free, and nothing waits before these.
        assert await asyncio.gather(*(it.call("echo", [number]) for number in (1, 2))) == [1, 2]
        assert "waiting" not in await circle.ask("runs")
