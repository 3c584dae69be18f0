"""What `circle_ws.contrib.opentelemetry` records of calls and of attempts to connect."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from circle_ws import (
    CallNext,
    CallTimeout,
    CircleWsClientBuilder,
    ConfigError,
    ConnectionFailed,
    ConnectionStatus,
    MessageTooLarge,
    Request,
    RpcError,
    SetupSession,
)
from circle_ws.contrib.opentelemetry import instrument
from circle_ws.testing import loop
from circle_ws.transport import Capabilities, Receiver, Transport, TransportOptions
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers
from tests.support.telemetry import Recorded, attributes, context, linked, recorded

__all__ = ["recorded"]


async def test_a_span_for_each_call(peers: Peers, recorded: Recorded) -> None:
    """With the names of the conventions, in the trace of the caller, linked to the attempt it owes its connection."""
    circle = await peers.start("circle")
    async with recorded.builder(circle.url).build() as client:
        with recorded.tracers.get_tracer("test").start_as_current_span("caller") as caller:
            assert await client.call("echo", ["secret"]) == "secret"
            await client.notify("record", ["passes no middleware"])
    [attempt] = recorded.spans("circle_ws.connect")
    [call] = recorded.spans("echo")
    assert recorded.spans("record") == []
    assert call.kind is SpanKind.CLIENT
    assert attributes(call) == {
        "rpc.system.name": "jsonrpc",
        "rpc.method": "echo",
        "jsonrpc.protocol.version": "2.0",
        "server.address": "127.0.0.1",
        "server.port": circle.port,
        "network.protocol.name": "websocket",
        "network.transport": "tcp",
    }
    assert call.status.status_code is StatusCode.UNSET
    assert call.parent is not None
    assert call.parent.span_id == caller.get_span_context().span_id
    assert linked(call) == [context(attempt).span_id]
    assert call.instrumentation_scope is not None
    assert call.instrumentation_scope.name == "circle_ws"


async def test_calls_that_fail(peers: Peers, recorded: Recorded) -> None:
    """The circle's code, or the class of the error; of a circle's own text nothing, as it may quote params."""
    circle = await peers.start("circle")
    async with recorded.builder(circle.url).build() as client:
        with pytest.raises(RpcError):
            await client.call("no_such_method", ["secret"])
        with pytest.raises(CallTimeout):
            await client.call("hold", [1], timeout=0.01)
        waiting = later(client.call("hold", [2]))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    unknown, slow, cancelled = recorded.calls()
    assert attributes(unknown)["rpc.response.status_code"] == attributes(unknown)["error.type"] == "-32601"
    assert (unknown.status.status_code, unknown.status.description) == (StatusCode.ERROR, None)
    assert attributes(slow)["error.type"] == "circle_ws.errors.CallTimeout"
    assert "rpc.response.status_code" not in attributes(slow)
    assert slow.status.description is not None
    assert "0.01 s" in slow.status.description
    assert attributes(cancelled)["error.type"] == "asyncio.exceptions.CancelledError"
    assert not any(span.events for span in recorded.spans())
    assert "secret" not in json.dumps([json.loads(span.to_json()) for span in recorded.spans()])


async def test_a_span_for_each_attempt(peers: Peers, recorded: Recorded) -> None:
    """Roots of their own, each linked to the one before; none is open while a connection stands."""
    circle = await peers.start("circle")
    with recorded.tracers.get_tracer("test").start_as_current_span("whoever connects first"):
        client = recorded.builder(circle.url).build()
        await client.connect()
    assert len(recorded.spans("circle_ws.connect")) == 1
    await circle.kill()
    await eventually(lambda: len(recorded.spans("circle_ws.connect")) > 1)
    await circle.start()
    client.reconnect()
    await client.wait_until_connected()
    await client.call("echo", [1])
    await client.close()
    attempts = recorded.spans("circle_ws.connect")
    first, failed, last = attempts[0], attempts[1], attempts[-1]
    assert [span.parent for span in attempts] == [None] * len(attempts)
    assert [linked(span) for span in attempts] == [
        [],
        *([context(earlier).span_id] for earlier in attempts[:-1]),
    ]
    assert attributes(first)["circle_ws.attempt"] == 1
    assert first.status.status_code is last.status.status_code is StatusCode.UNSET
    assert attributes(failed)["error.type"] == "circle_ws.errors.ConnectionFailed"
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description
    assert all(span.start_time and span.end_time and span.start_time <= span.end_time for span in attempts)
    [call] = recorded.spans("echo")
    assert linked(call) == [context(last).span_id]


async def test_a_call_that_waited_is_linked_to_its_connection(peers: Peers, recorded: Recorded) -> None:
    """Also where that did not stand when the call began."""
    circle = await peers.start("circle")
    client = recorded.builder(circle.url).build()
    client.start()
    await client.call("echo", [1])
    client.reconnect()
    await client.call("echo", [2])
    await client.close()
    attempts = [context(span).span_id for span in recorded.spans("circle_ws.connect")]
    first, second = recorded.spans("echo")
    assert linked(first) == attempts[:1]
    assert linked(second) == attempts


async def test_attempts_that_fail_or_are_given_up(peers: Peers, recorded: Recorded) -> None:
    """The HTTP status is told; a sign-in that is refused is one; and closing ends the span of one that hangs."""
    circle = await peers.start("circle", keys=[])
    client = recorded.builder(circle.url).build()
    with pytest.raises(Exception, match="admit|key|credentials|reject"):
        await client.connect()
    await client.close()
    [refused] = recorded.spans("circle_ws.connect")
    assert attributes(refused)["error.type"] == "circle_ws.errors.AuthRejected"
    with pytest.raises(ConnectionFailed):
        await recorded.builder("ws://localhost/").with_transport(Unavailable()).build().connect()
    assert attributes(recorded.spans("circle_ws.connect")[1])["http.response.status_code"] == 503
    hanging = recorded.builder("ws://localhost/").with_transport(MemoryServer(_silent)).build()
    connecting = later(hanging.connect())
    await eventually(lambda: hanging.status is ConnectionStatus.AUTHENTICATING)
    await hanging.close()
    await connecting
    assert attributes(recorded.spans("circle_ws.connect")[2])["error.type"] == "cancelled"


async def test_an_answer_that_failed_a_setup_is_not_quoted(peers: Peers, recorded: Recorded) -> None:
    """The circle's own text may quote the params of the setup; so neither it nor what is made of it is recorded."""
    circle = await peers.start("circle")

    async def setup(session: SetupSession) -> None:
        await session.call("no_such_method_of_mine")

    with pytest.raises(ConnectionFailed, match="no_such_method_of_mine"):
        await recorded.builder(circle.url).with_setup(setup).build().connect()
    [attempt] = recorded.spans()
    assert attempt.status.status_code is StatusCode.ERROR
    assert "no_such_method_of_mine" not in attempt.to_json()


class Unavailable:
    """A transport behind which a server answers with HTTP status 503."""

    capabilities = Capabilities(ping=False, headers=False, proxy=False, tls=False, http_status=True)

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        raise ConnectionFailed("the server answered with HTTP status 503", http_status=503)


async def _silent(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


async def test_batches(peers: Peers, recorded: Recorded) -> None:
    """One span for each call of a batch, with its own outcome; none for notifications, which have none."""
    circle = await peers.start("circle")
    async with recorded.builder(circle.url, propagate="_meta").build() as client:
        async with client.batch() as batch:
            batch.notify("echo", ["a notification"])
            good = batch.call("echo", {"value": 1})
            bad = batch.call("no_such_method")
        with pytest.raises(RpcError):
            await good  # The reference circle refuses a param that it does not know.
        with pytest.raises(RpcError):
            await bad
    assert [(span.name, attributes(span)["error.type"]) for span in recorded.calls()] == [
        ("echo", "-32602"),
        ("no_such_method", "-32601"),
    ]


async def test_a_batch_that_cannot_be_sent(peers: Peers, recorded: Recorded) -> None:
    """All its calls have failed with the error that the block raises."""
    circle = await peers.start("circle")
    async with recorded.builder(circle.url).with_limits(max_request_bytes=500).build() as client:
        with pytest.raises(MessageTooLarge):
            async with client.batch() as batch:
                batch.notify("echo")
                batch.call("echo", ["x" * 300])
                batch.call("echo", ["x" * 300])
    kinds = [attributes(span)["error.type"] for span in recorded.calls()]
    assert kinds == ["circle_ws.errors.MessageTooLarge"] * 2


async def test_the_users_middleware_is_inside(peers: Peers, recorded: Recorded) -> None:
    """Whenever it is given: its spans are children of the call's, which covers its retries."""
    circle = await peers.start("circle")
    tracer = recorded.tracers.get_tracer("test")

    async def twice(request: Request, call_next: CallNext) -> Any:
        with tracer.start_as_current_span("inside"):
            await call_next(request)
            return await call_next(request)

    async with recorded.builder(circle.url).with_middleware(twice).build() as client:
        await client.call("echo", [1])
    [call], [inside] = recorded.spans("echo"), recorded.spans("inside")
    assert inside.parent is not None
    assert inside.parent.span_id == context(call).span_id


async def test_a_url_that_a_function_returns(peers: Peers, recorded: Recorded) -> None:
    """Is recorded nowhere: it may be another one at each attempt, and its query is a secret."""
    circle = await peers.start("circle")
    builder = recorded.builder("ws://localhost/").with_url(lambda: f"{circle.url}?token=hunter2")
    async with builder.build() as client:
        await client.call("echo", [1])
    assert len(recorded.spans()) == 2
    assert not [name for span in recorded.spans() for name in attributes(span) if name.startswith("server.")]
    assert not any("hunter2" in span.to_json() for span in recorded.spans())
    assert recorded.values("connects") == [1]


async def test_methods_that_are_not_listed(peers: Peers, recorded: Recorded) -> None:
    """Are all one method to metrics and names; what they were stays in the span alone."""
    circle = await peers.start("circle")
    async with recorded.builder(circle.url, methods=["echo"]).build() as client:
        await client.call("echo", [1])
        await client.call("record", [1])
    known, other = recorded.calls()
    assert (known.name, attributes(known)["rpc.method"]) == ("echo", "echo")
    assert "rpc.method_original" not in attributes(known)
    assert (other.name, attributes(other)["rpc.method"]) == ("jsonrpc", "_OTHER")
    assert attributes(other)["rpc.method_original"] == "record"
    assert {point.attributes["rpc.method"] for point in recorded.points("rpc.client.call.duration")} == {
        "echo",
        "_OTHER",
    }


async def received(client_builder: CircleWsClientBuilder, *params: Any) -> list[Any]:
    """Return what a circle gets as params of calls, and of a batch of all of them."""
    got: list[Any] = []

    async def circle(peer: MemoryPeer) -> None:
        async for text in peer:
            message = json.loads(text)
            requests = message if isinstance(message, list) else [message]
            got.extend(one.get("params") for one in requests)
            replies = [{"jsonrpc": "2.0", "id": one["id"], "result": 0} for one in requests]
            peer.send(json.dumps(replies if isinstance(message, list) else replies[0]))

    async with client_builder.with_transport(MemoryServer(circle)).build() as client:
        for one in params:
            await client.call("f", one)
        async with client.batch() as batch:
            for one in params:
                batch.call("f", one)
    return got


async def test_traceparent_is_handed_on_where_that_is_asked_for(recorded: Recorded) -> None:
    """By name only, under the name that was given; all other params are sent as they are."""
    plain = [[1], None, {"_meta": "taken"}, (2,)]
    sent = [[1], None, {"_meta": "taken"}, [2]]
    url = "ws://localhost/"
    options: dict[str, Any] = {"tracer_provider": recorded.tracers, "propagate": "_meta"}
    got = await received(instrument(CircleWsClientBuilder(url), **options), *plain)
    assert got == [*sent, *sent]
    given = {"a": 1, "_meta": {"b": 2}}
    got = await received(instrument(CircleWsClientBuilder(url), **options), {"a": 1}, given)
    spans = [context(span) for span in recorded.calls()[-4:]]
    handed = [
        f"00-{trace.format_trace_id(span.trace_id)}-{trace.format_span_id(span.span_id)}-{span.trace_flags:02x}"
        for span in spans
    ]
    assert got == [
        {"a": 1, "_meta": {"traceparent": handed[0]}},
        {"a": 1, "_meta": {"b": 2, "traceparent": handed[1]}},
        {"a": 1, "_meta": {"traceparent": handed[2]}},
        {"a": 1, "_meta": {"b": 2, "traceparent": handed[3]}},
    ]
    assert given == {"a": 1, "_meta": {"b": 2}}


async def test_nothing_is_handed_on_by_default(recorded: Recorded) -> None:
    """The bytes of a call stay what they are."""
    builder = instrument(CircleWsClientBuilder("ws://localhost/"), tracer_provider=recorded.tracers)
    assert await received(builder, {"a": 1}, [1]) == [{"a": 1}, [1]] * 2


async def test_without_a_provider_nothing_changes() -> None:
    """A program that has no SDK calls as before, and hands on nothing, as there is no trace."""
    url, none = "ws://localhost/", trace.NoOpTracerProvider()
    builder = instrument(CircleWsClientBuilder(url), tracer_provider=none, propagate="_meta")
    assert await received(builder, {"a": 1}) == [{"a": 1}] * 2


def test_a_client_that_cannot_be_built_is_refused_as_ever() -> None:
    """With the words of the option that is wrong; and options of `instrument` itself are checked."""
    with pytest.raises(ConfigError, match="url"):
        instrument(CircleWsClientBuilder("http://localhost/")).build()
    for options in ({"methods": "echo"}, {"propagate": ""}, {"propagate": 5}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            instrument(CircleWsClientBuilder("ws://localhost/"), **options)


def test_the_blocking_client(peers: Peers, recorded: Recorded) -> None:
    """The same spans and links; its calls are in the trace of the thread that makes them, and so is its middleware."""
    circle = loop.run(peers.start("circle"))
    tracer = recorded.tracers.get_tracer("test")

    def inside(request: Request, call_next: Callable[[Request], Any]) -> Any:
        with tracer.start_as_current_span("inside"):
            return call_next(request)

    with recorded.builder(circle.url).with_middleware(inside).build_sync() as client:
        with tracer.start_as_current_span("caller") as caller:
            assert client.call("echo", [1]) == 1
            with client.batch() as batch:
                batch.call("record", [2])
        with pytest.raises(RpcError):
            client.call("no_such_method")
        assert recorded.values("connected") == [1]
    [attempt] = recorded.spans("circle_ws.connect")
    assert attempt.status.status_code is StatusCode.UNSET
    [call], [record], [failed] = (recorded.spans(name) for name in ("echo", "record", "no_such_method"))
    for one in (call, record):
        assert one.parent is not None
        assert one.parent.span_id == caller.get_span_context().span_id
    assert [linked(one) for one in (call, record, failed)] == [[context(attempt).span_id]] * 3
    assert attributes(failed)["error.type"] == "-32601"
    within = recorded.spans("inside")[0].parent
    assert within is not None
    assert within.span_id == context(call).span_id
    assert recorded.values("connects") == [1]
