"""Closing: what takes its time, and what gets in the way, as a shutdown that cancels everything."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from circle_ws import Challenge, CircleWsClient, ClientClosed, ConnectionStatus, InvalidRequest, OutcomeUnknown
from circle_ws.engine.closing import Closing, Drain
from circle_ws.engine.tasks import start_task
from circle_ws.transport import TransportOptions
from circle_ws.transport.base import Receiver
from circle_ws.transport.memory import CAPABILITIES, MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import client
from tests.support.limits import PATIENCE
from tests.support.outcomes import eventually, later
from tests.support.signers import Vault
from tests.support.virtual import VirtualLoop

S = ConnectionStatus
URL = "ws://localhost/"
NONCE = '{"jsonrpc":"2.0","id":1,"result":"nonce_1234567890_abcdef"}'


async def _silent(peer: MemoryPeer) -> None:
    """Reads, and answers nothing."""
    async for _ in peer:
        pass


async def _asking_for_a_signature(peer: MemoryPeer) -> None:
    """Gives a nonce, and nothing more."""
    async for _ in peer:
        peer.send(NONCE)


class Wrapped:
    """A transport whose `close()` and `abort()` do what a test says."""

    def __init__(self, inner: MemoryTransport, dialler: "Dialler") -> None:
        self.inner = inner
        self._dialler = dialler

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._dialler.closing(self)

    def abort(self) -> None:
        self._dialler.aborting(self)


class Dialler:
    """Opens transports in this process that close as a test says."""

    capabilities = CAPABILITIES

    def __init__(self, closing: Callable[[Wrapped], Any], aborting: Callable[[Wrapped], Any] | None = None) -> None:
        self.closing = closing
        self.aborting = aborting or (lambda transport: transport.inner.abort())
        self.server = MemoryServer(_silent)

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Any:
        return Wrapped(await self.server(url, receiver, options), self)

    @property
    def open_connections(self) -> int:
        """How many connections stand."""
        return sum(1 for peer in self.server.peers if peer.loss is None)


async def _never(transport: Wrapped) -> None:
    await asyncio.Event().wait()


async def _raise(transport: Wrapped) -> None:
    raise RuntimeError("a fault of the transport's")


@pytest.mark.parametrize("moment", ["just begun", "draining", "shaking hands"])
async def test_everything_is_cancelled_while_it_closes(moment: str) -> None:
    """The connection is cut, the status is CLOSED, listeners end, and every later `close()` returns."""
    before = asyncio.all_tasks()
    dialler = Dialler(_never)
    it = client(URL, key=None, transport=dialler, keepalive=None, close_timeout=None, drain_timeout=None)
    await it.connect()
    news = it.notifications("news")
    listening = later(_all_of(news))
    changes = it.status_changes()
    unanswered = later(it.call("f", timeout=None)) if moment == "draining" else None
    await asyncio.sleep(0)
    closings = [asyncio.ensure_future(it.close()) for _ in range(2)]
    # From one turn to the next: the task of `close()`, the one that does it, its first step.
    for _ in range({"just begun": 1, "draining": 5, "shaking hands": 10}[moment]):
        await asyncio.sleep(0)
    ours = asyncio.all_tasks() - before
    for task in ours - {listening, unanswered}:
        task.cancel()
    await asyncio.wait(closings)
    for _ in range(3):
        await asyncio.wait_for(it.close(), PATIENCE)
    assert it.status is S.CLOSED
    assert dialler.open_connections == 0
    assert await asyncio.wait_for(listening, PATIENCE) == []
    assert [change.status async for change in changes][-1] is S.CLOSED
    if unanswered is not None:
        assert isinstance(await unanswered, OutcomeUnknown)
    with pytest.raises(ClientClosed):
        await it.connect()


async def _all_of(news: Any) -> list[Any]:
    return [one async for one in news]


@pytest.mark.parametrize("turns", range(1, 12))
async def test_the_task_that_closes_is_cancelled_at_any_turn(turns: int) -> None:
    """Every task that waits for the end, and was not cancelled itself, returns."""
    dialler = Dialler(_never)
    it = client(URL, key=None, transport=dialler, keepalive=None, close_timeout=None)
    await it.connect()
    before = asyncio.all_tasks()
    closing = asyncio.ensure_future(it.close(drain=0))
    for _ in range(turns):
        await asyncio.sleep(0)
    for task in asyncio.all_tasks() - before - {closing}:
        task.cancel()
    await asyncio.wait_for(closing, PATIENCE)
    assert it.status is S.CLOSED
    assert dialler.open_connections == 0


@pytest.mark.parametrize("drain", ["5", -1, float("nan"), float("inf"), True, b"1"], ids=repr)
async def test_a_drain_that_is_no_time(drain: Any) -> None:
    """It is refused before anything is touched: the client goes on, and the next `close()` works."""
    it = client(URL, key=None, transport=MemoryServer(_silent))
    await it.connect()
    with pytest.raises(InvalidRequest, match="drain must be a number of seconds"):
        await it.close(drain=drain)
    assert it.is_connected()
    assert await eventually(lambda: it.status) is S.CONNECTED
    await it.close()
    assert it.status is S.CLOSED


@pytest.mark.parametrize("status", [S.IDLE, S.FAILED, S.CLOSED], ids=lambda status: status.value)
async def test_a_drain_that_is_no_time_where_there_is_nothing_to_drain(status: ConnectionStatus) -> None:
    """The same error, whatever the client does."""
    it = client(URL, key=None, transport=MemoryServer(_silent))
    if status is S.CLOSED:
        await it.close()
    elif status is S.FAILED:
        server = MemoryServer(_silent)
        it = client(URL, key=None, transport=server, backoff=None)
        await it.connect()
        server.peers[0].close()
        await eventually(lambda: it.status is S.FAILED)
    with pytest.raises(InvalidRequest, match="drain"):
        await it.close(drain="5")  # type: ignore[arg-type]
    assert it.status is status
    await it.close()


async def test_a_transport_whose_close_raises(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, the connection is cut, and the client is CLOSED."""
    dialler = Dialler(_raise)
    it = client(URL, key=None, transport=dialler)
    await it.connect()
    news = it.notifications("news")
    await it.close()
    assert it.status is S.CLOSED
    assert dialler.open_connections == 0
    assert await _all_of(news) == []
    assert "could not be closed, and is cut: RuntimeError: a fault of the transport's" in caplog.text
    await it.close()


async def test_a_transport_that_can_be_neither_closed_nor_aborted(caplog: pytest.LogCaptureFixture) -> None:
    """The client is CLOSED all the same."""

    def fail(transport: Wrapped) -> None:
        raise OSError("a fault of the transport's, too")

    dialler = Dialler(_raise, fail)
    it = client(URL, key=None, transport=dialler)
    await it.connect()
    await it.close()
    assert it.status is S.CLOSED
    assert "could not be aborted: OSError" in caplog.text
    for peer in dialler.server.peers:
        peer.close()


async def test_a_transport_whose_close_raises_when_the_client_leaves_it(caplog: pytest.LogCaptureFixture) -> None:
    """In the life of the client it is the same: logged and cut, and the client reconnects."""
    dialler = Dialler(_raise)
    async with client(URL, key=None, transport=dialler) as it:
        it.reconnect()
        await eventually(lambda: it.stats.connects == 2)
        await eventually(lambda: dialler.open_connections == 1)
    assert "could not be closed, and is cut" in caplog.text


async def test_a_fault_of_ours_while_it_closes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, the connection is cut, and the client is closed all the same."""

    async def fail(self: Closing, *runs: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    dialler = Dialler(_never)
    it = client(URL, key=None, transport=dialler)
    await it.connect()
    monkeypatch.setattr(Closing, "runs_ended", fail)
    await it.close()
    assert it.status is S.CLOSED
    assert dialler.open_connections == 0
    assert "closing failed; the connection is cut" in caplog.text


async def test_a_transport_whose_close_never_ends() -> None:
    """`close_timeout` bounds it, and the connection is cut."""
    dialler = Dialler(_never)
    it = client(URL, key=None, transport=dialler, close_timeout=0.05)
    await it.connect()
    await asyncio.wait_for(it.close(), PATIENCE)
    assert it.status is S.CLOSED
    assert dialler.open_connections == 0


class Stubborn:
    """An async function of the user's that takes its time when it is cancelled, until it is released."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.released = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, *arguments: Any) -> Any:
        self.called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            await self.released.wait()
            raise
        finally:
            self.ended.set()

    async def let_go(self) -> None:
        """Let it end."""
        self.released.set()
        await self.ended.wait()


class StubbornVault(Vault):
    """Signs never, and takes its time when it is cancelled."""

    def __init__(self, stubborn: Stubborn) -> None:
        super().__init__()
        self._stubborn = stubborn

    async def sign(self, challenge: Challenge) -> str:
        await self._stubborn(challenge)
        raise AssertionError("it is cancelled")


def _stuck_in(where: str, stubborn: Stubborn, **options: Any) -> CircleWsClient:
    if where == "setup":
        parts: dict[str, Any] = {"transport": MemoryServer(_silent), "setup": stubborn, "key": None}
    else:
        parts = {"transport": MemoryServer(_asking_for_a_signature), "signer": StubbornVault(stubborn), "key": None}
    return client(URL, **{"close_timeout": 0.05, "keepalive": None, **parts, **options})


@pytest.mark.parametrize("where", ["setup", "signer"])
async def test_close_is_bounded_though_a_function_takes_its_time(where: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is cancelled, waited for during `close_timeout`, and then abandoned with a warning that names it."""
    stubborn = Stubborn()
    it = _stuck_in(where, stubborn)
    connecting = later(it.connect())
    await stubborn.called.wait()
    await asyncio.wait_for(it.close(), PATIENCE)
    assert it.status is S.CLOSED
    assert isinstance(await connecting, ClientClosed)
    assert f"the {where}" in caplog.text
    assert "has not ended within close_timeout (0.05 s)" in caplog.text
    assert stubborn.cancelled.is_set()
    await stubborn.let_go()


@pytest.mark.parametrize("where", ["setup", "signer"])
async def test_cancelling_connect_waits_for_no_function(where: str) -> None:
    """`wait_for(connect(), t)` takes no longer because a function of the user's does."""
    stubborn = Stubborn()
    it = _stuck_in(where, stubborn)
    connecting = asyncio.ensure_future(it.connect())
    await stubborn.called.wait()
    connecting.cancel()
    await asyncio.wait([connecting])
    assert it.status is S.IDLE
    await stubborn.let_go()
    await it.close()


async def test_an_attempt_takes_no_longer_than_its_time_though_the_setup_does() -> None:
    """`open_timeout` ends the attempt; the setup ends when it likes."""
    stubborn = Stubborn()
    it = _stuck_in("setup", stubborn, open_timeout=0.05)
    with pytest.raises(ConnectionError, match="open_timeout"):
        await asyncio.wait_for(it.connect(), PATIENCE)
    await stubborn.let_go()
    await it.close()


async def test_attempts_do_not_pile_up_what_takes_its_time() -> None:
    """A setup that is told to end, and does not, is waited for by the next attempts, inside their time."""
    stubborn = Stubborn()
    calls: list[str] = []

    async def setup(session: Any) -> None:
        calls.append("called")
        if len(calls) == 1:
            await stubborn(session)

    it = client(URL, key=None, transport=MemoryServer(_silent), setup=setup, open_timeout=0.05, first_connect="retry")
    connecting = later(it.connect())
    attempts: list[int] = []
    it.on_status(lambda change: attempts.append(change.attempt))
    await eventually(lambda: attempts and attempts[-1] >= 3)
    assert len(calls) == 1
    await stubborn.let_go()
    assert await connecting is None
    assert len(calls) == 2
    await it.close()


async def test_a_handler_that_takes_its_time_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """It is cancelled once, and abandoned."""
    stubborn = Stubborn()
    server = MemoryServer(_silent)
    it = client(URL, key=None, transport=server, close_timeout=0.05)
    it.handle("think", stubborn)
    await it.connect()
    server.peers[0].send('{"jsonrpc":"2.0","id":"x","method":"think"}')
    await stubborn.called.wait()
    await asyncio.wait_for(it.close(), PATIENCE)
    assert it.status is S.CLOSED
    assert "the handler of 'think' has not ended" in caplog.text
    await stubborn.let_go()


async def test_a_dial_that_takes_its_time(caplog: pytest.LogCaptureFixture) -> None:
    """A transport that is not done when it is cancelled: what it opens later is cut, and changes nothing."""

    class Late(MemoryServer):
        async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
            try:
                dialling.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await release.wait()
            return await super().__call__(url, receiver, options)

    dialling, release = asyncio.Event(), asyncio.Event()
    server = Late(_silent)
    it = client(URL, key=None, transport=server, close_timeout=0.05)
    connecting = later(it.connect())
    await dialling.wait()
    await asyncio.wait_for(it.close(), PATIENCE)
    assert it.status is S.CLOSED
    assert isinstance(await connecting, ClientClosed)
    assert "the transport has not ended" in caplog.text
    release.set()
    await eventually(lambda: server.peers)
    await eventually(lambda: server.peers[0].loss is not None)
    assert it.status is S.CLOSED


async def test_closing_says_nothing_where_all_goes_well(caplog: pytest.LogCaptureFixture) -> None:
    """No warning is about what ends when it is told to."""
    with caplog.at_level(logging.WARNING, "circle_ws"):
        async with client(URL, key=None, transport=MemoryServer(_silent)) as it:
            later(it.call("f"))
            await asyncio.sleep(0)
            await it.close(drain=0)
    assert caplog.records == []


@pytest.mark.parametrize("first", [None, 1000])
@pytest.mark.parametrize("turns", [0, 10])
async def test_a_second_close_that_is_more_impatient(first: float | None, turns: int) -> None:
    """`drain=0` ends the wait of the first one, which just begins or lasts already; a longer one changes nothing."""
    it = client(URL, key=None, transport=MemoryServer(_silent), keepalive=None)
    await it.connect()
    unanswered = later(it.call("f", timeout=None))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(it.close(drain=first))
    for _ in range(turns):
        await asyncio.sleep(0)
    others = [asyncio.ensure_future(it.close(drain=drain)) for drain in (2000, None)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert repr(it.status) == repr(S.CLOSING)
    await asyncio.wait_for(it.close(drain=0), PATIENCE)
    assert repr(it.status) == repr(S.CLOSED)
    await asyncio.gather(closing, *others)
    assert isinstance(await unanswered, OutcomeUnknown)


async def test_close_waits_for_no_probe_of_its_own() -> None:
    """An unanswered keep-alive probe is not one of the calls that are drained."""
    it = client(URL, key=None, transport=MemoryServer(_silent), keepalive=None)
    await it.connect()
    session = it._supervisor._session
    assert session is not None
    probe = later(session.request("rpc.ping"))
    await asyncio.sleep(0)
    assert session.pending.entries
    await asyncio.wait_for(it.close(drain=None), PATIENCE)
    assert await probe is not None


async def test_close_waits_for_the_calls_beside_a_probe() -> None:
    """It ends with the last of them, whatever becomes of the probe."""
    server = MemoryServer(_silent)
    it = client(URL, key=None, transport=server, keepalive=None)
    await it.connect()
    session = it._supervisor._session
    assert session is not None
    probe = later(session.request("rpc.ping"))
    call = later(it.call("f", timeout=None))
    await eventually(lambda: len(session.pending.entries) == 2)
    id = next(one.id for one in session.pending.entries.values() if not one.internal)
    closing = asyncio.ensure_future(it.close(drain=None))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not closing.done()
    server.peers[0].send(f'{{"jsonrpc":"2.0","id":{id},"result":7}}')
    assert await call == 7
    await asyncio.wait_for(closing, PATIENCE)
    assert await probe is not None


@pytest.mark.parametrize("turns", [0, 10])
async def test_a_closing_handshake_that_is_cancelled_cuts(turns: int) -> None:
    """The client is closed while it leaves an earlier connection: that one is not left open, begun or not."""
    dialler = Dialler(_never)
    it = client(URL, key=None, transport=dialler, keepalive=None, close_timeout=0.02)
    await it.connect()
    it.reconnect()
    if turns:
        await eventually(lambda: it.stats.connects == 2)
    await it.close(drain=0)
    await eventually(lambda: dialler.open_connections == 0)


async def test_a_closing_handshake_ends_with_the_task_of_the_client() -> None:
    """As when the client is dropped: with no `close_timeout` nothing else would end it."""
    dialler = Dialler(_never)
    it = client(URL, key=None, transport=dialler, keepalive=None, close_timeout=None)
    await it.connect()
    it.reconnect()
    await eventually(lambda: it.stats.connects == 2)
    assert dialler.open_connections == 2
    next(task for task in asyncio.all_tasks() if task.get_name() == "the transport").cancel()
    await eventually(lambda: dialler.open_connections == 0)
    assert it.status is S.FAILED
    await it.close()


@pytest.mark.parametrize(
    ("patience", "ends"), [((None,), 10.0), ((20.0, None), 10.0), ((7.0, 3.0), 4.0), ((7.0, 9.0), 7.0), ((0.0,), 0.0)]
)
def test_a_drain_ends_with_the_most_impatient_caller(patience: tuple[float | None, ...], ends: float) -> None:
    """Each of them, one second after the other, may only shorten it; the last call in flight ends it, too."""
    loop = VirtualLoop()

    async def drain() -> None:
        drained = loop.create_future()
        loop.call_later(10.0, drained.set_result, None)
        it = Drain()
        for after, seconds in enumerate(patience):
            if after:
                loop.call_later(after, it.end_within, seconds)
            else:
                it.end_within(seconds)
        await it.wait(drained)

    loop.run(drain())
    assert loop.time() == ends
    loop.close()


async def test_an_abandoned_run_is_kept_until_it_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    """It is waited for `close_timeout` seconds; one that takes longer is named in the log."""
    release = asyncio.Event()

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()

    closing = Closing(0.01)
    abandoned = start_task(run(), name="the run")
    await asyncio.sleep(0)
    closing.abandon(abandoned)
    await closing.runs_ended()
    assert "the run has not ended within close_timeout (0.01 s)" in caplog.text
    assert list(closing.abandoned) == [abandoned]
    release.set()
    await closing.runs_ended()
    assert not closing.abandoned
    await closing.runs_ended()
