"""Rows 36, 37, 41, 42: nothing wedges a client, neither a shutdown nor what others cancel, nor use from elsewhere."""

import asyncio
from typing import Any

import pytest

from circle_ws import (
    Challenge,
    CircleWsClient,
    ConnectionFailed,
    ConnectionStatus,
    InvalidRequest,
    SetupSession,
    SignerFailed,
)
from circle_ws.transport import TransportOptions, connect
from circle_ws.transport.base import Receiver
from tests.faults.moments import CLOSE_TIMEOUT, MOMENTS
from tests.faults.stage import IN_BROWSER, LONG, behind_faults, timed
from tests.support.clients import client
from tests.support.outcomes import eventually, later, until
from tests.support.peers import Peers
from tests.support.signers import Vault
from tests.support.virtual import VirtualLoop

S = ConnectionStatus
SLACK = 1.0
"""How much later a busy machine may notice that a time is over, in seconds."""


@pytest.mark.parametrize("turns", [1, 4])
@pytest.mark.parametrize("moment", sorted(set(MOMENTS) - {"idle", "failed", "closed"}))
async def test_row_36_everything_is_cancelled_while_it_closes(peers: Peers, moment: str, turns: int) -> None:
    """Row 36, shutdown cancels every task while `close()` runs: at every moment it is cut, CLOSED, and closes again."""
    before = asyncio.all_tasks()
    there = await MOMENTS[moment](peers)
    it = there.client
    news = it.notifications("tick")
    closing = asyncio.ensure_future(it.close(drain=LONG))
    for _ in range(turns):
        await asyncio.sleep(0)
    tasks = asyncio.all_tasks() - before
    for task in tasks:
        task.cancel()
    await asyncio.wait([*tasks, closing])
    assert await timed(it.close()) < SLACK
    await it.close()
    assert it.status is S.CLOSED
    assert [one async for one in news] == []
    if not IN_BROWSER:
        await there.gone()


async def test_row_36_a_drain_that_is_no_time(peers: Peers) -> None:
    """Row 36, a `close()` whose drain is invalid: it is refused before anything is touched, and the next one works."""
    circle = await peers.start("circle")
    it = client(circle.url)
    await it.connect()
    with pytest.raises(InvalidRequest, match="drain"):
        await it.close(drain="5")  # type: ignore[arg-type]
    assert await it.call("echo", [1]) == 1
    await it.close()
    assert it.status is S.CLOSED


class Faulty:
    """The runtime's own transport, but for its `close()`, which raises."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        raise OSError("a fault of the transport's")


class Dialler:
    """Opens such transports."""

    capabilities = connect.capabilities

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Any:
        return Faulty(await connect(url, receiver, options))


async def test_row_36_a_transport_that_raises(peers: Peers) -> None:
    """Row 36, a `close()` whose transport raises: the connection is cut, the status is CLOSED, listeners end."""
    peer, proxy = await behind_faults(peers, "scripted")
    it = client(proxy.url, key=None, transport=Dialler())
    await it.connect()
    news = it.notifications("tick")
    await it.close()
    assert it.status is S.CLOSED
    assert [one async for one in news] == []
    await until(proxy, "open_connections", lambda count: not count)
    assert await peer.ask("received") == []


@pytest.mark.parametrize("status", [S.CONNECTING, S.AUTHENTICATING, S.WAITING], ids=lambda status: status.value)
async def test_row_37_the_wait_ends_and_the_reconnecting_goes_on(peers: Peers, status: ConnectionStatus) -> None:
    """Row 37, `asyncio.wait_for(client.connect(), t)` on a client that is reconnecting: calls that wait go out."""
    circle, proxy = await behind_faults(peers)
    may_go_on = asyncio.Event()
    may_go_on.set()

    async def setup(session: SetupSession) -> None:
        await may_go_on.wait()

    it = client(proxy.url, open_timeout=LONG, setup=setup)
    await it.connect()
    if status is S.WAITING:
        await circle.stop()
    elif status is S.CONNECTING:
        await proxy.ask("black_hole")
    else:
        may_go_on.clear()
    await proxy.ask("end", how="reset")
    await eventually(lambda: it.status is status)
    queued = later(it.call("echo", [1]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(it.connect(), 0.05)
    assert it.status not in (S.IDLE, S.FAILED)
    if status is S.WAITING:
        await circle.start()
    elif status is S.CONNECTING:
        await proxy.ask("answer")
    else:
        may_go_on.set()
    assert await queued == 1
    await it.close()


async def test_row_37_only_who_started_it_ends_it(peers: Peers) -> None:
    """Row 37: the `connect()` that started a client that was never connected may end it, but nothing of `start()`."""
    peer = await peers.start("tcp")
    it = client(peer.url, open_timeout=LONG)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(it.connect(), 0.02)
    assert await eventually(lambda: it.status) is S.IDLE
    it.start()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(it.connect(), 0.02)
    assert it.status is S.CONNECTING
    await it.close()


async def test_row_41_another_event_loop(peers: Peers) -> None:
    """Row 41, the client used from another event loop or thread: refused in words, and nothing is touched."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        for use in (it.call, it.notify, lambda name: it.close(), lambda name: it.connect()):
            other = VirtualLoop()
            try:
                with pytest.raises(RuntimeError, match="this client belongs to another event loop"):
                    other.run(use("record"))
            finally:
                other.close()
        other = VirtualLoop()
        try:
            with pytest.raises(RuntimeError, match="this client belongs to another event loop"):
                other.run(_made_batch(it))
        finally:
            other.close()
        assert (it.status, it.stats.calls) == (S.CONNECTED, 0)
        assert await it.call("echo", [1]) == 1
    assert await circle.ask("runs") == []


async def _made_batch(it: CircleWsClient) -> None:
    it.batch()


@pytest.mark.native_only("there are no threads")
async def test_row_41_another_thread(peers: Peers) -> None:
    """Row 41, the client used from another event loop or thread: what may be read from anywhere is read there."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        for use in (it.call, it.notify):
            with pytest.raises(RuntimeError, match="this client belongs to another event loop"):
                await asyncio.to_thread(lambda use=use: asyncio.run(use("record")))  # type: ignore[misc]
        read = await asyncio.to_thread(lambda: (it.status, it.is_connected(), it.stats.calls))
        assert read == (S.CONNECTED, True, 0)
        done = await asyncio.to_thread(_from_a_thread, it.call("echo", [1]), asyncio.get_running_loop())
        assert done == 1
    assert await circle.ask("runs") == []


def _from_a_thread(call: Any, loop: asyncio.AbstractEventLoop) -> Any:
    return asyncio.run_coroutine_threadsafe(call, loop).result(10)


async def _interrupted() -> Any:
    other = asyncio.ensure_future(asyncio.Event().wait())
    await asyncio.sleep(0)
    other.cancel()
    return await other


async def test_row_42_inside_a_handler(peers: Peers) -> None:
    """Row 42, something else than the task itself was cancelled inside a handler: it is answered as any failure."""
    circle = await peers.start("circle")
    async with client(circle.url) as it:
        it.handle("f", _interrupted)
        assert await circle.ask("ask_client", method="f") == {"error": [-32603, "internal error", None]}
        assert await it.call("echo", [1]) == 1


class _Interrupted(Vault):
    async def sign(self, challenge: Challenge) -> str:
        await _interrupted()
        return await super().sign(challenge)


async def test_row_42_inside_a_signer(peers: Peers) -> None:
    """Row 42, something else than the task itself was cancelled inside a signer: as row 25, in words."""
    circle = await peers.start("circle")
    it = client(circle.url, key=None, signer=_Interrupted())
    with pytest.raises(SignerFailed, match="cancelled"):
        await it.connect()
    await it.close()


async def test_row_42_inside_a_setup(peers: Peers) -> None:
    """Row 42, something else than the task itself was cancelled inside a setup: the attempt failed; retry."""
    circle = await peers.start("circle")
    runs: list[SetupSession] = []

    async def setup(session: SetupSession) -> None:
        runs.append(session)
        if len(runs) % 2:
            await _interrupted()

    with pytest.raises(ConnectionFailed, match="the setup failed"):
        await client(circle.url, setup=setup).connect()
    runs.clear()
    async with client(circle.url, setup=setup, first_connect="retry") as it:
        assert await it.call("echo", [1]) == 1
    assert len(runs) == 2


@pytest.mark.native_only("a browser does not let a page set headers")
async def test_row_42_inside_a_headers_function(peers: Peers) -> None:
    """Row 42, something else than the task itself was cancelled inside a header function: the attempt failed; retry."""
    circle = await peers.start("circle")
    asked: list[None] = []

    async def headers() -> dict[str, str]:
        asked.append(None)
        if len(asked) == 1:
            await _interrupted()
        return {}

    async with client(circle.url, headers=headers, first_connect="retry") as it:
        assert await it.call("echo", [1]) == 1
    assert len(asked) == 2


async def test_row_42_takes_its_time(peers: Peers) -> None:
    """Row 42: what takes its time when it is cancelled holds up `close()` no longer than `close_timeout`."""
    circle = await peers.start("circle")
    called, release = asyncio.Event(), asyncio.Event()

    async def setup(session: SetupSession) -> None:
        try:
            called.set()
            await asyncio.Event().wait()
        finally:
            await release.wait()

    it = client(circle.url, setup=setup, close_timeout=CLOSE_TIMEOUT)
    connecting = later(it.connect())
    await called.wait()
    assert await timed(it.close()) < 3 * CLOSE_TIMEOUT + SLACK
    release.set()
    await connecting
