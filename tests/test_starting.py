"""Connecting in the background, and who may end an attempt, in both runtimes."""

import asyncio

import pytest

from circle_ws import (
    AuthRejected,
    CallTimeout,
    ClientClosed,
    ConnectionFailed,
    ConnectionLost,
    ConnectionStatus,
    NotConnected,
)
from tests.support.clients import OTHER_KEY, client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers
from tests.support.virtual import outside_of_any_loop

S = ConnectionStatus


async def test_start_returns_at_once(peers: Peers) -> None:
    """It is no coroutine; a call waits for the connection, and `wait_until_connected()` for it alone."""
    circle = await peers.start("circle")
    it = client(circle.url)
    assert it.start() is None  # type: ignore[func-returns-value]
    assert it.status is S.CONNECTING
    assert await it.call("echo", [1]) == 1
    await it.wait_until_connected()
    assert it.is_connected()
    await it.close()


async def test_start_is_idempotent(peers: Peers) -> None:
    """At every status: there is one attempt, and one connection."""
    circle = await peers.start("scripted")
    it = client(circle.url, key=None)
    it.start()
    it.start()
    await it.connect()
    it.start()
    await it.connect()
    assert await circle.ask("count") == 1
    await it.close()
    with pytest.raises(ClientClosed, match="final"):
        it.start()


async def test_start_keeps_trying_whatever_was_configured(peers: Peers) -> None:
    """A circle that is not there yet is waited for; `connect()` would have given up at once."""
    circle = await peers.start("circle")
    await circle.stop()
    it = client(circle.url, first_connect="once")
    it.start()
    waiting = later(it.call("echo", [1]))
    await eventually(lambda: it.status is S.WAITING)
    await circle.start()
    assert await waiting == 1
    await it.close()


async def test_start_makes_an_attempt_that_connect_began_its_own(peers: Peers) -> None:
    """From then on it keeps trying, and nobody who stops waiting ends it; the failure of the first attempt is none."""
    circle = await peers.start("circle")
    await circle.stop()
    it = client(circle.url, first_connect="once")
    connecting = asyncio.ensure_future(it.connect())
    await asyncio.sleep(0)
    it.start()
    await eventually(lambda: it.status is S.WAITING)
    assert not connecting.done()
    connecting.cancel()
    await asyncio.wait([connecting])
    assert it.status is not S.IDLE
    await circle.start()
    await it.wait_until_connected()
    await it.close()


async def test_start_ends_with_something_fatal(peers: Peers) -> None:
    """FAILED, with the cause for whoever waits; `start()` begins anew."""
    circle = await peers.start("circle", keys=[client("ws://localhost/", OTHER_KEY).public_key])
    it = client(circle.url)
    it.start()
    with pytest.raises(AuthRejected):
        await it.wait_until_connected()
    assert it.status is S.FAILED
    assert isinstance(it.failure, AuthRejected)
    with pytest.raises(NotConnected):
        await it.call("echo", [1])
    it.start()
    assert it.failure is None
    with pytest.raises(AuthRejected):
        await it.wait_until_connected()
    await it.close()


async def test_connect_after_a_failed_start_is_as_configured(peers: Peers) -> None:
    """`start()` keeps trying for its own time alone."""
    circle = await peers.start("circle", keys=[client("ws://localhost/", OTHER_KEY).public_key])
    it = client(circle.url)
    it.start()
    with pytest.raises(AuthRejected):
        await it.wait_until_connected()
    await circle.stop()
    with pytest.raises(ConnectionFailed):
        await it.connect()
    await it.close()


async def test_start_in_the_moment_of_a_loss(peers: Peers) -> None:
    """It is known to be lost, and not yet what follows: a client without reconnect connects anew all the same."""
    circle = await peers.start("circle")
    it = client(circle.url, backoff=None)
    await it.connect()
    session = it._supervisor._session
    assert session is not None
    session.abort(ConnectionLost.closed(1006))
    assert it.status is S.CONNECTED
    it.start()
    await eventually(lambda: it.stats.connects == 2)
    await it.close()


@pytest.mark.parametrize("status", [S.CONNECTING, S.WAITING], ids=lambda status: status.value)
async def test_a_wait_for_connect_on_a_client_that_reconnects_ends_the_wait_alone(
    peers: Peers, status: ConnectionStatus
) -> None:
    """The reconnecting goes on, and what is queued gets its answer."""
    circle = await peers.start("circle")
    proxy = await peers.start("fault_proxy", target=circle.url)
    it = client(proxy.url)
    await it.connect()
    if status is S.CONNECTING:
        await proxy.ask("black_hole")
    else:
        await circle.stop()
    await proxy.ask("end", how="reset")
    await eventually(lambda: it.status is status)
    queued = later(it.call("echo", [1]))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(it.connect(), 0.05)
    assert it.status not in (S.IDLE, S.FAILED)
    assert not queued.done()
    if status is S.CONNECTING:
        await proxy.ask("answer")
        it.reconnect()
    else:
        await circle.start()
    assert await queued == 1
    await it.close()


async def test_a_wait_for_connect_on_a_client_that_was_started_ends_the_wait_alone(peers: Peers) -> None:
    """Nobody's `connect()` began it, so nobody's ends it."""
    silent = await peers.start("tcp")
    it = client(silent.url)
    it.start()
    await until(silent, "count")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(it.connect(), 0.02)
    assert it.status is S.CONNECTING
    with pytest.raises(CallTimeout):
        await it.wait_until_connected(0.02)
    assert it.status is S.CONNECTING
    await it.close()


async def test_the_connect_that_began_a_client_ends_it(peers: Peers) -> None:
    """It never was connected, so nobody has a use for it; it can be started again."""
    silent = await peers.start("tcp")
    it = client(silent.url)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(it.connect(), 0.02)
        assert it.status is S.IDLE
    await it.close()


def test_start_outside_of_an_event_loop() -> None:
    """It is told in words; the client is as it was."""
    it = client("ws://localhost/")
    with outside_of_any_loop(), pytest.raises(RuntimeError, match="no asyncio event loop is running"):
        it.start()
    assert it.status is S.IDLE
