"""Losing the connection and coming back, in both runtimes against the real circle."""

import asyncio
import json
from typing import Any

import pytest

from circle_ws import (
    Backoff,
    CallTimeout,
    ConnectionFailed,
    ConnectionLost,
    ConnectionStatus,
    NotConnected,
    OutcomeUnknown,
)
from circle_ws.policy import Verdict
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import CAPABILITIES, MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

S = ConnectionStatus
NONCE = {"result": "nonce_1234567890_abcdef"}


async def test_killed_in_the_middle_of_a_call_and_back_again(peers: Peers) -> None:
    """The call fails at once with `OutcomeUnknown`; started again, the circle has its client back and signed in."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        held = later(it.call("hold", ["once"]))
        await until(circle, "runs")
        await circle.kill()
        unknown = await held
        assert isinstance(unknown, OutcomeUnknown)
        assert (unknown.code, unknown.local) == (1006, False)
        assert "may have run" in str(unknown)
        assert not it.is_connected()
        waiting = later(it.call("record", ["after"]))
        await circle.start()
        assert await waiting == 2
        assert it.is_connected()
        assert (await it.whoami())["pubkey"] in await circle.ask("public_keys")
    assert await circle.ask("runs") == ["once", "after"]


async def test_a_stopping_circle_is_awaited(peers: Peers) -> None:
    """A graceful stop (1001) is waited out: the client dials until the circle is there again."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        changes = it.status_changes()
        await circle.stop()
        await eventually(lambda: it.status is S.WAITING)
        await circle.start()
        await it.wait_until_connected()
    story = [change async for change in changes]
    waits = [change for change in story if change.status is S.WAITING]
    assert isinstance(waits[0].cause, ConnectionLost)
    assert waits[0].cause.code == 1001
    assert all(isinstance(wait.cause, ConnectionFailed) for wait in waits[1:])
    assert all(wait.retry_in is not None and 0.01 <= wait.retry_in <= 0.1 for wait in waits)
    assert [wait.attempt for wait in waits] == list(range(len(waits)))


async def test_what_waits_goes_out_in_order_after_the_sign_in(peers: Peers) -> None:
    """Calls and notifications made without a connection are sent once, in order, and nothing before the sign-in."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await circle.kill()
        await eventually(lambda: not it.is_connected())
        made: list[Any] = []
        for number in range(6):
            made.append(later(it.notify("record", [number]) if number % 2 else it.call("record", [number])))
            await asyncio.sleep(0)
        await circle.start()
        assert await asyncio.gather(*made) == [1, None, 3, None, 5, None]
    assert await circle.ask("runs") == [0, 1, 2, 3, 4, 5]


async def test_a_notification_listener_lives_through_it(peers: Peers) -> None:
    """What is pushed after the reconnect reaches the same listener."""
    circle = await peers.start("circle")
    async with client(circle.url) as it, it.notifications("tick") as ticks:
        for _ in range(3):
            await it.call("tick")
            assert await anext(ticks) == {"number": 0}
            await circle.ask("cut_all")
            await eventually(lambda: not it.is_connected())
            await it.wait_until_connected()


async def test_a_listener_does_not_wait_for_a_client_that_gave_up(peers: Peers) -> None:
    """When the client gives up, a listener raises why, old and new; started anew, it goes on where it was."""
    circle = await peers.start("circle")
    it = client(circle.url, backoff=None)
    await it.connect()
    ticks = it.notifications("tick")
    await it.call("tick", [1])
    waiting = later(anext(it.notifications("tick")))
    await circle.ask("cut_all")
    assert isinstance(await waiting, ConnectionLost)
    assert await anext(ticks) == {"number": 0}
    for listener in (ticks, it.notifications("tick")):
        with pytest.raises(ConnectionLost):
            await anext(listener)
    await it.connect()
    await it.call("tick", [1])
    assert await anext(ticks) == {"number": 0}
    await it.close()


async def test_who_learns_of_a_loss_finds_the_status_changed(peers: Peers) -> None:
    """When a call fails with `OutcomeUnknown` the client already says that it waits."""
    circle = await peers.start("circle")
    async with client(circle.url, backoff=Backoff(first=1, floor=1)) as it:
        with pytest.raises(OutcomeUnknown):
            await it.call("drop")
        assert it.status is S.WAITING


async def test_each_sign_in_has_a_nonce_and_a_signature_of_its_own(peers: Peers) -> None:
    """After a reconnect the client asks for a fresh nonce; ids go on and are never used twice."""
    second = {"result": "another_nonce_0987654321"}
    peer = await peers.start(
        "scripted", answers={"fetch_nonce": [NONCE, second], "authenticate": {"result": True}, "f": {"result": 1}}
    )
    async with client(peer.url) as it:
        await it.call("f")
        await peer.ask("cut")
        await eventually(lambda: not it.is_connected())
        await it.call("f")
    requests = [json.loads(text) for text in await peer.ask("received")]
    assert [request["method"] for request in requests] == ["fetch_nonce", "authenticate", "f"] * 2
    assert len({request["id"] for request in requests}) == 6
    assert requests[1]["params"]["signature"] != requests[4]["params"]["signature"]


async def test_a_call_while_there_is_no_connection_ends_at_its_time(peers: Peers) -> None:
    """A queued call keeps its deadline, was never run, and says where it ended."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        await circle.kill()
        await eventually(lambda: not it.is_connected())
        with pytest.raises(CallTimeout, match="has not run") as caught:
            await it.call("record", ["never"], timeout=0.15)
        assert caught.value.phase in ("queue", "open")
        await circle.start()
        await it.wait_until_connected()
    assert await circle.ask("runs") == []


async def test_without_reconnect_a_lost_connection_is_the_end(peers: Peers) -> None:
    """`without_reconnect()`: FAILED with the loss as its reason; `connect()` starts anew."""
    circle = await peers.start("circle")
    it = client(circle.url, backoff=None)
    await it.connect()
    await circle.ask("drop_all", code=1012, reason="restart")
    await eventually(lambda: it.status is S.FAILED)
    assert isinstance(it.failure, ConnectionLost)
    assert it.failure.code == 1012
    with pytest.raises(NotConnected, match="1012"):
        await it.call("echo", [1])
    await it.connect()
    assert await it.call("echo", [1]) == 1
    await it.close()


async def test_connecting_in_the_moment_of_the_loss_starts_anew() -> None:
    """The connection is down, and the client has not yet given up for it: `connect()` does not raise that old loss."""

    async def listen(peer: MemoryPeer) -> None:
        await peer.receive()

    server = MemoryServer(listen)
    it = client("ws://localhost/", key=None, transport=server, backoff=None)
    await it.connect()
    server.peers[0].close(1012)
    while it.is_connected():  # noqa: ASYNC110 - turn by turn, not to miss it
        await asyncio.sleep(0)
    assert it.status is S.CONNECTED
    await it.connect()
    assert it.is_connected()
    assert len(server.peers) == 2
    await it.close()


async def test_attempts_are_counted_and_bounded(peers: Peers) -> None:
    """After `attempts` failures in a row the client gives up, and what waits fails with the last reason."""
    circle = await peers.start("circle")
    it = client(circle.url, backoff=Backoff(first=0.02, base=0.01, maximum=0.02, floor=0.0, attempts=3))
    await it.connect()
    changes = it.status_changes()
    await circle.kill()
    await eventually(lambda: not it.is_connected())
    waiting = later(it.call("echo", [1]))
    failure = await waiting
    assert isinstance(failure, ConnectionFailed)
    assert it.status is S.FAILED
    assert it.failure is failure
    await it.close()
    story = [change.status async for change in changes]
    assert story.count(S.CONNECTING) == 3


async def test_the_first_connect_may_keep_trying(peers: Peers) -> None:
    """With `first_connect="retry"` a circle that is not there yet is waited for."""
    circle = await peers.start("circle")
    await circle.stop()
    it = client(circle.url, first_connect="retry")
    connecting = later(it.connect())
    waiting = later(it.call("echo", ["early"]))
    await eventually(lambda: it.status is S.WAITING)
    await circle.start()
    assert await connecting is None
    assert await waiting == "early"
    await it.close()


class Refusal:
    """A transport whose attempts fail without a turn of the event loop."""

    capabilities = CAPABILITIES

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        raise ConnectionFailed("refused")


async def test_attempts_without_a_delay_let_others_run() -> None:
    """Each waits for a turn of the loop, also where the classifier wants no delay and the attempt takes no time."""
    it = client(
        "ws://localhost/",
        key=None,
        transport=Refusal(),
        first_connect="retry",
        classifier=lambda failure: Verdict(retry=True, between=(0.0, 0.0)),
    )
    connecting = later(it.connect())
    for _ in range(20):
        await asyncio.sleep(0)
    assert it.status in (S.CONNECTING, S.WAITING)
    await it.close()
    assert connecting.done()
