"""The phases of a client: how it is started, in the background too, and who may end an attempt; in both runtimes."""

import asyncio

import pytest

from circle_ws import (
    AuthRejected,
    CallTimeout,
    CircleWsClient,
    ClientClosed,
    ConnectionFailed,
    ConnectionLost,
    ConnectionStatus,
    NotConnected,
    OutcomeUnknown,
    StatusChange,
)
from circle_ws.engine.session import Session
from circle_ws.engine.session_loop import SessionLoop
from circle_ws.engine.supervisor import Phase
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport
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
    """From then on it keeps trying, and no cancelled wait ends it; a failed first attempt does not either."""
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
    """FAILED, with the cause for every waiter; `start()` starts it again."""
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
    """No `connect()` began it, so no cancelled `connect()` ends it."""
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
    """It was never connected, so no caller needs it; it can be started again."""
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


async def _silent(peer: MemoryPeer) -> None:
    """Reads, and answers nothing."""
    async for _ in peer:
        pass


class Winding(MemoryServer):
    """Opens no connection at the first dial, and takes its time when that is cancelled; the next ones open."""

    def __init__(self) -> None:
        super().__init__(_silent)
        self.dialling = asyncio.Event()
        self.release = asyncio.Event()
        self.dials = 0

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
        self.dials += 1
        if self.dials == 1:
            self.dialling.set()
            try:
                await asyncio.Event().wait()
            finally:
                await self.release.wait()
        return await super().__call__(url, receiver, options)

    @property
    def open_connections(self) -> int:
        """How many connections stand."""
        return sum(1 for peer in self.peers if peer.loss is None)


def _runs() -> int:
    return sum(1 for task in asyncio.all_tasks() if task.get_name() == "the transport")


async def _turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["start", "connect"])
async def test_a_start_while_an_abandoned_attempt_winds_down(how: str) -> None:
    """It is a start like any other; the new attempt is made when the old one has ended."""
    server = Winding()
    it = client("ws://localhost/", key=None, transport=server, keepalive=None)
    abandoned = asyncio.ensure_future(it.connect())
    await server.dialling.wait()
    abandoned.cancel()
    await _turns()
    idle = it.status
    assert idle is S.IDLE
    if how == "start":
        it.start()
    connecting = later(it.connect() if how == "connect" else it.wait_until_connected())
    await _turns()
    assert it.status is S.CONNECTING
    assert server.dials == 1
    server.release.set()
    assert await connecting is None
    assert it.is_connected()
    await asyncio.wait([abandoned])
    assert abandoned.cancelled()
    await _turns()
    assert it.is_connected()
    assert (server.dials, server.open_connections, _runs()) == (2, 1, 1)
    await it.close()
    assert (server.open_connections, _runs()) == (0, 0)


async def test_a_connect_after_an_abandoned_one_that_winds_down_may_be_abandoned_too() -> None:
    """Who still waits for the end of the first attempt does not count as a user of the second."""
    server = Winding()
    it = client("ws://localhost/", key=None, transport=server, keepalive=None)
    first = asyncio.ensure_future(it.connect())
    await server.dialling.wait()
    first.cancel()
    await _turns()
    second = asyncio.ensure_future(it.connect())
    await _turns()
    second.cancel()
    await asyncio.wait([second])
    assert it.status is S.IDLE
    server.release.set()
    await asyncio.wait([first])
    await _turns()
    assert it.status is S.IDLE
    assert (server.dials, _runs()) == (1, 0)
    await it.close()


async def test_an_abandoned_attempt_that_never_ends_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is abandoned after `close_timeout`; a connection that it opens later is cut."""

    class Late(Winding):
        async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
            try:
                return await super().__call__(url, receiver, options)
            except asyncio.CancelledError:
                return await super().__call__(url, receiver, options)

    server = Late()
    it = client("ws://localhost/", key=None, transport=server, keepalive=None, close_timeout=0.02)
    abandoned = asyncio.ensure_future(it.connect())
    await server.dialling.wait()
    abandoned.cancel()
    await _turns()
    await it.connect()
    assert "the transport has not ended" in caplog.text
    server.release.set()
    await eventually(lambda: len(server.peers) == 2)
    await eventually(lambda: _runs() == 1)
    assert it.is_connected()
    assert server.open_connections == 1
    await it.close()


@pytest.mark.parametrize("waiter", ["callback", "task"])
async def test_a_start_by_who_learns_that_an_attempt_was_abandoned(waiter: str) -> None:
    """The end of the old attempt does not end the new one."""
    gate = asyncio.Event()

    class Slow(MemoryServer):
        async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
            await gate.wait()
            return await super().__call__(url, receiver, options)

    server = Slow(_silent)
    it = client("ws://localhost/", key=None, transport=server, keepalive=None)
    if waiter == "callback":
        it.on_status(lambda change: it.start() if change.status is S.IDLE else None)
    connecting = asyncio.ensure_future(it.connect())
    await _turns()
    waiting = later(_start_again(it)) if waiter == "task" else None
    await _turns()
    connecting.cancel()
    await asyncio.wait([connecting])
    await _turns()
    assert it.status is S.CONNECTING
    gate.set()
    await it.wait_until_connected()
    assert len(server.peers) == 1
    assert _runs() == 1
    assert waiting is None or await waiting is None
    await it.close()
    assert server.peers[0].loss is not None


async def _start_again(it: CircleWsClient) -> None:
    with pytest.raises(NotConnected):
        await it.wait_until_connected()
    it.start()


async def test_a_start_by_a_callback_after_the_task_was_cancelled_from_outside() -> None:
    """There is one run and one connection, and `close()` ends both."""
    server = MemoryServer(_silent)
    it = client("ws://localhost/", key=None, transport=server, keepalive=None)
    await it.connect()
    seen: list[ConnectionStatus] = []

    def note(change: StatusChange) -> None:
        seen.append(change.status)
        if change.status is S.FAILED:
            it.start()

    it.on_status(note)
    next(task for task in asyncio.all_tasks() if task.get_name() == "the transport").cancel()
    await eventually(lambda: it.stats.connects == 2)
    await _turns()
    assert seen == [S.FAILED, S.CONNECTING, S.CONNECTED]
    assert _runs() == 1
    assert [peer.loss is None for peer in server.peers] == [False, True]
    await it.close()
    assert _runs() == 0
    assert all(peer.loss is not None for peer in server.peers)


async def test_a_fault_of_ours_in_the_run_fails_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """No caller waits for ever: calls fail with it, and `connect()` may be called again."""

    async def fail(self: SessionLoop, session: Session) -> ConnectionLost:
        await failing.wait()
        raise ZeroDivisionError("a fault of ours")

    failing = asyncio.Event()
    monkeypatch.setattr(SessionLoop, "run", fail)
    it = client("ws://localhost/", key=None, transport=MemoryServer(_silent), keepalive=None)
    await it.connect()
    call = later(it.call("f"))
    await asyncio.sleep(0)
    failing.set()
    assert isinstance(await call, OutcomeUnknown)
    assert (it.status, type(it.failure)) == (S.FAILED, ZeroDivisionError)
    monkeypatch.undo()
    await it.connect()
    await it.close()


async def test_the_phases_of_a_client_that_connects() -> None:
    """Its callers may abandon it until it is connected, and never after that."""
    it = client("ws://localhost/", key=None, transport=MemoryServer(_silent), keepalive=None)
    phases = [it._supervisor._phase]
    for _ in range(2):
        connecting = asyncio.ensure_future(it.connect())
        await asyncio.sleep(0)
        phases.append(it._supervisor._phase)
        connecting.cancel()
        await asyncio.wait([connecting])
        phases.append(it._supervisor._phase)
    await it.connect()
    phases.append(it._supervisor._phase)
    it.start()
    phases.append(it._supervisor._phase)
    closing = asyncio.ensure_future(it.close())
    await asyncio.sleep(0)
    phases.append(it._supervisor._phase)
    await closing
    phases.append(it._supervisor._phase)
    abandoned = [Phase.TENTATIVE, Phase.IDLE]
    established = [Phase.ESTABLISHED] * 2
    assert phases == [Phase.IDLE, *abandoned, *abandoned, *established, Phase.CLOSING, Phase.CLOSED]


@pytest.mark.parametrize("first", ["connect", "start"])
async def test_the_phases_of_a_client_that_is_started(first: str) -> None:
    """`start()` makes a start by `connect()` its own; when it gave up, it can be started anew."""
    refuse = True

    class Refusing(MemoryServer):
        async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
            if refuse:
                raise AuthRejected("the circle refused the key")
            return await super().__call__(url, receiver, options)

    it = client("ws://localhost/", key=None, transport=Refusing(_silent), keepalive=None)
    connecting = later(it.connect()) if first == "connect" else None
    await asyncio.sleep(0)
    it.start()
    started = it._supervisor._phase
    assert started is Phase.PERSISTENT
    await eventually(lambda: it.status is S.FAILED)
    phase = it._supervisor._phase
    assert phase is Phase.FAILED
    assert connecting is None or isinstance(await connecting, AuthRejected)
    refuse = False
    it.start()
    await it.wait_until_connected()
    established = it._supervisor._phase
    assert established is Phase.ESTABLISHED
    await it.close()
