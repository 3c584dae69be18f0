"""Proves the demo's controls: what the page may do to the circle, and that a client sees just that."""

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

import circle_ws
from circle_ws.auth import KeyPair
from circle_ws.cli.demo import controls as module
from circle_ws.cli.demo.circle import running_circle
from circle_ws.cli.demo.controls import Controls
from circle_ws.server import CircleServer


@pytest.fixture
async def circle() -> AsyncGenerator[CircleServer]:
    async with running_circle() as circle:
        yield circle


async def _lost(client: circle_ws.CircleWsClient) -> circle_ws.ConnectionLost:
    """Return how the client lost its connection."""
    async for change in client.status_changes():
        if change.status is circle_ws.ConnectionStatus.FAILED:
            assert isinstance(change.cause, circle_ws.ConnectionLost)
            return change.cause
    raise AssertionError("the client was closed")


def _client(circle: CircleServer) -> circle_ws.CircleWsClient:
    return circle_ws.CircleWsClientBuilder(circle.url).with_keypair(KeyPair.generate()).without_reconnect().build()


async def test_drop_closes_every_connection(circle: CircleServer) -> None:
    controls = Controls(circle)
    async with _client(circle) as one, _client(circle) as other:
        assert controls.perform("drop")
        for client in (one, other):
            lost = await _lost(client)
            assert (lost.code, lost.reason) == (1001, "dropped on request")


async def test_restart_kills_the_circle_and_starts_it_on_the_same_port(
    circle: CircleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DOWN", 0.05)
    controls, url = Controls(circle), circle.url
    async with _client(circle) as client:
        assert controls.perform("restart")
        # A second wish for what is under way is none.
        assert controls.perform("restart")
        assert (await _lost(client)).code == 1006
    builder = circle_ws.CircleWsClientBuilder(url).with_keypair(KeyPair.generate())
    async with builder.with_reconnect(first_connect="retry").build() as again:
        assert await again.play("40 + 2") == "42"


async def test_a_frozen_circle_does_nothing_until_it_thaws(circle: CircleServer) -> None:
    controls = Controls(circle)
    async with _client(circle) as client:
        for _ in range(2):
            assert controls.perform("freeze")
        order: list[str] = []

        def thaw() -> None:
            order.append("thawed")
            controls.perform("thaw")

        threading.Timer(0.2, thaw).start()
        # The loop of the test is the circle's: it goes on only when another thread has it thawed.
        await client.call("echo", ["after"])
        order.append("answered")
        assert order == ["thawed", "answered"]


async def test_a_frozen_circle_thaws_by_itself(circle: CircleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FROZEN_AT_MOST", 0.05)
    async with _client(circle) as client:
        assert Controls(circle).perform("freeze")
        assert await client.call("echo", ["after"]) == "after"


async def test_ctrl_c_ends_a_frozen_circle(circle: CircleServer) -> None:
    """Which only cancels the main task of the loop, from a handler in between."""

    async def main() -> None:
        controls = Controls(circle)
        controls._soon(task.cancel)
        assert controls.perform("freeze")
        await asyncio.sleep(60)

    task = asyncio.create_task(main())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_flood_is_thousands_of_numbered_notifications(
    circle: CircleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLOOD_SECONDS", 0.2)
    async with _client(circle) as client, client.notifications("flood", buffer=10_000) as listener:
        controls = Controls(circle)
        assert controls.perform("flood")
        numbers = [(await anext(listener))["n"] for _ in range(500)]
        assert numbers == list(range(1, 501))
        await controls._running["flood"]


async def test_there_is_nothing_else(circle: CircleServer) -> None:
    controls = Controls(circle)
    for name in ("", "stop", "_drop", "drop/"):
        assert not controls.perform(name)


async def test_the_circle_describes_its_methods(circle: CircleServer) -> None:
    """As OpenRPC asks; each one that it names is there, with those params."""
    async with _client(circle) as client:
        described = {one["name"]: one for one in (await client.call("rpc.discover"))["methods"]}
        assert set(described) == {"play", "echo", "whoami", "ask_back", "tick", "drop"}
        assert await client.call("play", {described["play"]["params"][0]["name"]: "40 + 2"}) == {"output": "42"}
        assert await client.call("echo", {described["echo"]["params"][0]["name"]: 7}) == 7
        assert await client.call("tick", {described["tick"]["params"][0]["name"]: 0}) is None
