"""Starting, watching, closing and dropping a client, from every state, in both runtimes."""

import asyncio
import dataclasses
import gc
import sys
import time
import warnings

import pytest

from circle_ws import (
    AuthRejected,
    CallTimeout,
    ClientClosed,
    ConnectionFailed,
    ConnectionStatus,
    NotConnected,
    OutcomeUnknown,
    StatusChange,
)
from circle_ws.auth import generate_private_key
from circle_ws.status import TRANSITIONS
from circle_ws.transport import Capabilities
from tests.support.clients import KEY, OTHER_KEY, client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers

S = ConnectionStatus


async def test_the_status_tells_the_story(peers: Peers) -> None:
    """From IDLE to CLOSED every step is told, to the iterator and to the callback alike, and each is legal."""
    circle = await peers.start("circle")
    it = client(circle.url)
    told: list[StatusChange] = []
    it.on_status(told.append)
    changes = it.status_changes()
    before = time.time()
    await it.connect()
    await it.close()
    seen = [change async for change in changes]
    assert [change.status for change in seen] == [
        S.IDLE,
        S.CONNECTING,
        S.AUTHENTICATING,
        S.CONNECTED,
        S.CLOSING,
        S.CLOSED,
    ]
    assert told == seen[1:]
    for change in told:
        assert change.status in TRANSITIONS[change.previous]
        assert before - 1 <= change.at <= time.time() + 1
    assert [change.attempt for change in seen[1:3]] == [1, 1]


def test_what_the_runtime_can_do_is_told_before_anything_is_dialled() -> None:
    """Natively everything; a browser offers subprotocols, and has its own ways for the rest."""
    told = client("ws://localhost/").capabilities
    capable = sys.platform != "emscripten"
    assert {field.name: getattr(told, field.name) for field in dataclasses.fields(Capabilities)} == {
        "ping": capable,
        "headers": capable,
        "proxy": capable,
        "tls": capable,
        "http_status": capable,
        "subprotocols": True,
        "compression": capable,
        "socks": capable,
    }


async def test_connect_again_returns_at_once(peers: Peers) -> None:
    """A connected client has nothing to connect; concurrent calls share one attempt."""
    circle = await peers.start("scripted")
    it = client(circle.url, key=None)
    await asyncio.gather(*(it.connect() for _ in range(5)))
    await it.connect()
    assert await circle.ask("count") == 1
    await it.close()


async def test_before_and_after_its_life_a_client_refuses_in_words(peers: Peers) -> None:
    """IDLE: connect first. CLOSED: final."""
    circle = await peers.start("circle")
    it = client(circle.url)
    for attempt in (it.call("f"), it.notify("f"), it.play("1"), it.whoami(), it.wait_until_connected()):
        with pytest.raises(NotConnected, match="connect"):
            await attempt
    await it.close()
    assert it.status is S.CLOSED
    for attempt in (it.call("f"), it.notify("f"), it.connect(), it.wait_until_connected()):
        with pytest.raises(ClientClosed, match="final"):
            await attempt
    await it.close()


async def test_a_failed_connect_can_be_tried_again(peers: Peers) -> None:
    """The first failure raises at once and leaves FAILED with its reason; when the circle is there, it connects."""
    circle = await peers.start("circle")
    await circle.stop()
    it = client(circle.url)
    with pytest.raises(ConnectionFailed) as caught:
        await it.connect()
    assert it.status is S.FAILED
    assert it.failure is caught.value
    with pytest.raises(NotConnected) as refused:
        await it.call("echo", [1])
    assert refused.value.__cause__ is caught.value
    await circle.start()
    await it.connect()
    assert it.failure is None
    assert await it.call("echo", [1]) == 1
    await it.close()


async def test_a_wrong_key_is_refused_and_not_tried_again(peers: Peers) -> None:
    """A circle that does not know the key says no: fatal, and the block is never entered."""
    other = client("ws://localhost/", OTHER_KEY).public_key
    circle = await peers.start("circle", keys=[other])
    it = client(circle.url, KEY, first_connect="retry")
    with pytest.raises(AuthRejected, match="key"):
        async with it:
            pytest.fail("the block was entered")
    assert it.status is S.CLOSED
    async with client(circle.url, OTHER_KEY) as welcome:
        assert welcome.is_connected()


async def test_cancelling_connect_ends_the_attempt(peers: Peers) -> None:
    """The only one that waits is cancelled: back to IDLE, nothing left, and it can be started again."""
    silent = await peers.start("tcp")
    it = client(silent.url)
    connecting = asyncio.ensure_future(it.connect())
    await until(silent, "count")
    queued = later(it.call("f"))
    await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert it.status is S.IDLE
    assert isinstance(await queued, NotConnected)
    await it.close()


async def test_cancelling_one_of_two_leaves_the_other(peers: Peers) -> None:
    """The attempt goes on while anybody waits for it."""
    circle = await peers.start("circle")
    it = client(circle.url)
    first, second = asyncio.ensure_future(it.connect()), asyncio.ensure_future(it.connect())
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert it.is_connected()
    await it.close()


async def test_close_while_connecting_is_quick(peers: Peers) -> None:
    """A server that keeps silent does not hold `close()` up; who waited for it learns."""
    silent = await peers.start("tcp")
    it = client(silent.url)
    connecting = later(it.connect())
    await until(silent, "count")
    await it.close()
    assert it.status is S.CLOSED
    assert isinstance(await connecting, ClientClosed)


async def test_close_while_waiting_is_quick_and_fails_what_waits(peers: Peers) -> None:
    """In the pause between attempts `close()` does not wait, and a queued call fails with `ClientClosed`."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    await circle.kill()
    await eventually(lambda: it.status is S.WAITING)
    queued = later(it.call("echo", [1]))
    await asyncio.sleep(0)
    await it.close()
    assert isinstance(await queued, ClientClosed)


async def test_close_lets_calls_in_flight_end(peers: Peers) -> None:
    """What is written and what waits for a slot still gets its answer; new calls are refused."""
    circle = await peers.start("circle")
    it = client(circle.url, max_in_flight=1)
    await it.connect()
    held, queued = later(it.call("hold", ["a"])), later(it.call("echo", ["b"]))
    await until(circle, "runs")
    closing = later(it.close())
    await eventually(lambda: it.status is S.CLOSING)
    with pytest.raises(ClientClosed):
        await it.call("echo", ["new"])
    await circle.ask("release")
    await closing
    assert (await held, await queued) == ("a", "b")


async def test_close_without_drain_tells_that_the_outcome_is_unknown(peers: Peers) -> None:
    """Not waiting, a written call fails with `OutcomeUnknown`, a waiting one with `ClientClosed`."""
    circle = await peers.start("circle")
    it = client(circle.url, max_in_flight=1)
    await it.connect()
    held, queued = later(it.call("hold", ["a"])), later(it.call("echo", ["b"]))
    await until(circle, "runs")
    await it.close(drain=0)
    unknown = await held
    assert isinstance(unknown, OutcomeUnknown)
    assert unknown.local
    assert isinstance(await queued, ClientClosed)


async def test_an_exception_in_the_block_does_not_wait(peers: Peers) -> None:
    """Leaving the block by an exception closes at once and hands the exception on."""
    circle = await peers.start("circle")
    with pytest.raises(KeyError):
        async with client(circle.url) as it:
            held = later(it.call("hold", ["a"]))
            await asyncio.sleep(0)
            raise KeyError
    assert isinstance(await held, OutcomeUnknown)


async def test_close_is_bounded_against_a_peer_that_does_not_answer(peers: Peers) -> None:
    """A peer that ignores the closing handshake costs `close_timeout`, no more."""
    deaf = await peers.start("scripted", deaf=True)
    it = client(deaf.url, key=None, close_timeout=0.2)
    await it.connect()
    loop = asyncio.get_running_loop()
    started = loop.time()
    await it.close()
    assert loop.time() - started < 4
    assert it.status is S.CLOSED


async def test_close_at_the_same_time_from_everywhere(peers: Peers) -> None:
    """Any number of callers, one of them cancelled, one in a status callback: closed once, all return."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    closings: list[asyncio.Task[None]] = []
    it.on_status(lambda change: closings.append(later(it.close())))
    cancelled = asyncio.ensure_future(it.close())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(it.close(), it.close())
    assert it.status is S.CLOSED
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await eventually(lambda: len(closings) == 2)
    assert await asyncio.gather(*closings) == [None, None]


async def test_wait_until_connected(peers: Peers) -> None:
    """It returns when ready, raises when its time is over, and hands on what the client failed with."""
    silent = await peers.start("tcp")
    it = client(silent.url, open_timeout=0.3)
    connecting = later(it.connect())
    await asyncio.sleep(0)
    waiting = later(it.wait_until_connected())
    with pytest.raises(CallTimeout, match="open") as caught:
        await it.wait_until_connected(0.05)
    assert caught.value.phase == "open"
    failure = await connecting
    assert isinstance(failure, ConnectionFailed)
    assert await waiting is failure
    with pytest.raises(NotConnected):
        await it.wait_until_connected(1)
    await it.close()


async def test_a_call_may_be_made_from_a_status_callback(peers: Peers) -> None:
    """Callbacks run where the whole client can be used; one that raises is logged and breaks nothing."""
    circle = await peers.start("circle")
    it = client(circle.url)
    answers: list[asyncio.Task[object]] = []

    def react(change: StatusChange) -> None:
        if change.status is S.CONNECTED:
            answers.append(later(it.call("echo", ["from a callback"])))
        raise RuntimeError("a fault of the callback's")

    remove = it.on_status(react)
    await it.connect()
    assert await (await eventually(lambda: answers))[0] == "from a callback"
    remove()
    remove()
    await it.close()


async def test_twenty_lives_leave_nothing(peers: Peers) -> None:
    """Connecting and closing again and again leaves no task and no proxy: the leak check of every test looks."""
    circle = await peers.start("circle")
    for number in range(20):
        # In a page one key signs only so often.
        async with client(circle.url, generate_private_key()) as it:
            assert await it.call("echo", [number]) == number
    await until(circle, "public_keys", lambda keys: not keys)


async def test_a_dropped_client_is_collected(peers: Peers) -> None:
    """Without `close()` and without references the client warns once, its socket closes and its tasks end."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    assert len(await circle.ask("public_keys")) == 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del it
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    await until(circle, "public_keys", lambda keys: not keys)
