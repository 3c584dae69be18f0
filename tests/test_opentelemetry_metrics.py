"""The metrics of `circle_ws.contrib.opentelemetry`; and that telemetry that fails, or is forgotten, breaks nothing."""

import asyncio
import gc
import json
import logging
import weakref
from typing import Any

import pytest
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from circle_ws import CircleWsClient, CircleWsClientBuilder, ConnectionStatus, RpcError
from circle_ws.contrib.opentelemetry import instrument
from circle_ws.contrib.opentelemetry.metrics import metrics_of
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import KEY
from tests.support.outcomes import eventually
from tests.support.peers import Peers
from tests.support.telemetry import RESOURCE, Recorded, recorded

__all__ = ["recorded"]


async def _silent(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


async def _until_signing_in(client: CircleWsClient) -> None:
    await eventually(lambda: client.status is ConnectionStatus.AUTHENTICATING)


async def test_the_duration_of_calls(peers: Peers, recorded: Recorded) -> None:
    """A histogram in seconds with the bounds and the attributes of the conventions, by method and outcome."""
    circle = await peers.start("circle")
    async with recorded.builder(circle.url).build() as client:
        await client.call("echo", [1])
        await client.call("echo", [2])
        with pytest.raises(RpcError):
            await client.call("no_such_method")
    points = {point.attributes["rpc.method"]: point for point in recorded.points("rpc.client.call.duration")}
    good, bad = points["echo"], points["no_such_method"]
    server = {"server.address": "127.0.0.1", "server.port": circle.port}
    assert good.attributes == {"rpc.system.name": "jsonrpc", "rpc.method": "echo", **server}
    assert bad.attributes["error.type"] == bad.attributes["rpc.response.status_code"] == "-32601"
    assert (good.count, bad.count) == (2, 1)
    assert 0 < good.sum < 60
    assert list(good.explicit_bounds) == [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]


async def test_a_circle_cannot_flood_the_metrics(recorded: Recorded) -> None:
    """Codes of errors beyond a maximum are one; the spans have them."""

    async def circle(peer: MemoryPeer) -> None:
        async for text in peer:
            id = json.loads(text)["id"]
            peer.send(json.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": id, "message": "no"}}))

    builder = instrument(
        CircleWsClientBuilder("ws://localhost/").with_transport(MemoryServer(circle)),
        tracer_provider=recorded.tracers,
        meter_provider=recorded.meters,
    )
    async with builder.build() as client:
        for _ in range(150):
            with pytest.raises(RpcError):
                await client.call("f")
    points = recorded.points("rpc.client.call.duration")
    assert len(points) == 101
    assert [point.count for point in points if point.attributes["error.type"] == "_OTHER"] == [50]
    assert len({(span.attributes or {})["error.type"] for span in recorded.calls()}) == 150


async def test_statistics(peers: Peers, recorded: Recorded) -> None:
    """Are added up over all clients of a circle, also over those that are gone; a sum never shrinks."""
    circle = await peers.start("circle")
    builder = recorded.builder(circle.url).with_keepalive(interval=0.01, mode="rpc")
    clients = [builder.build() for _ in range(2)]
    for one in clients:
        await one.connect()
        async with one.notifications("tick") as ticks:
            await one.call("tick", [2])
            assert len([await anext(ticks), await anext(ticks)]) == 2
    await eventually(lambda: recorded.values("latency"))
    assert recorded.values("connected") == [2]
    assert recorded.values("connects") == [2]
    assert recorded.values("notifications") == [4]
    sent = sum(one.stats.bytes_out for one in clients)
    assert recorded.values("bytes_out")[0] >= sent
    await clients.pop().close()
    del one
    gc.collect()
    assert recorded.values("connected") == [1]
    assert recorded.values("notifications") == [4]
    assert recorded.values("bytes_out")[0] >= sent
    clients[0].reconnect()
    await eventually(lambda: clients[0].stats.connects == 2)
    assert (recorded.values("connects"), recorded.values("reconnects")) == ([3], [1])
    await clients.pop().close()
    [point] = recorded.points("circle_ws.client.connects")
    assert point.attributes == {"server.address": "127.0.0.1", "server.port": circle.port}


class Broken(SpanProcessor, SpanExporter):
    """Raises wherever it is called, as no processor or exporter should."""

    def on_start(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("broken at the start")

    def on_end(self, *_: Any) -> None:
        raise RuntimeError("broken at the end")

    def export(self, *_: Any) -> SpanExportResult:
        raise RuntimeError("broken in exporting")

    def shutdown(self) -> None:
        """Nothing to end."""


class BrokenMeters:
    """A histogram that cannot record."""

    def __init__(self) -> None:
        self.get_meter = lambda *_, **__: self
        for name in ("observable_counter", "observable_gauge", "observable_up_down_counter", "histogram"):
            setattr(self, f"create_{name}", lambda *_, **__: self)

    def record(self, *_: Any) -> None:
        raise RuntimeError("broken in recording")


@pytest.mark.parametrize("what", ["the start", "the end", "exporting", "recording"])
async def test_telemetry_that_fails_breaks_no_call(
    peers: Peers, what: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, the first time of a client as a warning; calls, batches and reconnects work."""
    circle = await peers.start("circle")
    tracers = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    broken = Broken()
    if what != "the start":
        monkeypatch.setattr(Broken, "on_start", lambda *_, **__: None)
    if what == "exporting":
        tracers.add_span_processor(SimpleSpanProcessor(broken))
    elif what != "recording":
        tracers.add_span_processor(broken)
    meters: Any = BrokenMeters() if what == "recording" else None
    builder = CircleWsClientBuilder(circle.url).with_keypair(KEY)
    async with instrument(builder, tracer_provider=tracers, meter_provider=meters).build() as client:
        for n in range(3):
            assert await client.call("echo", [n]) == n
        async with client.batch() as batch:
            one = batch.call("echo", [7])
        assert await one == 7
    told = [record for record in caplog.records if record.name == "circle_ws.opentelemetry"]
    if what != "exporting":  # The SDK itself catches that.
        assert [record.levelno for record in told if record.levelno > logging.DEBUG] == [logging.WARNING]
        assert f"broken {'in' if what == 'recording' else 'at'} {what}" in caplog.text


async def test_a_builder_is_not_changed(peers: Peers, recorded: Recorded) -> None:
    """`instrument` returns another one; used twice, it records once."""
    circle = await peers.start("circle")
    builder = CircleWsClientBuilder(circle.url).with_keypair(KEY)
    once = instrument(builder, tracer_provider=recorded.tracers)
    twice = instrument(once, tracer_provider=recorded.tracers)
    for one in (builder, twice):
        async with one.build() as client:
            await client.call("echo", [1])
    assert len(recorded.calls()) == 1


async def test_a_dropped_client_is_collected(recorded: Recorded) -> None:
    """Telemetry keeps none alive: neither its span, nor its metrics."""
    client = recorded.builder("ws://localhost/").with_transport(MemoryServer(_silent)).build()
    client.start()
    await _until_signing_in(client)
    gone = weakref.ref(client)
    with pytest.warns(ResourceWarning):
        del client
        gc.collect()
    assert gone() is None
    await asyncio.sleep(0.01)
    assert recorded.values("connected") == []


def test_the_default_is_the_global_provider() -> None:
    """One set of instruments serves every builder of a provider."""

    class Other(MeterProvider):
        def get_meter(self, *_: Any, **__: Any) -> Any:
            return BrokenMeters()

    other = Other()
    assert metrics_of(None) is metrics_of(None)
    assert metrics_of(other) is metrics_of(other)
    assert metrics_of(other) is not metrics_of(None)
