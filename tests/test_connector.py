"""What a program does on every new connection, in both runtimes."""

import asyncio
import json
from contextlib import suppress

import pytest

from circle_ws import (
    CallTimeout,
    CircleWsClientBuilder,
    ClientClosed,
    ConnectionFailed,
    ConnectionLost,
    ConnectionStatus,
    InvalidRequest,
    RpcError,
    SetupSession,
    Verdict,
)
from circle_ws.policy import Failure
from circle_ws.transport import Receiver, TransportOptions
from circle_ws.transport.memory import MemoryPeer, MemoryServer, MemoryTransport
from tests.support.clients import KEY, QUICK, client
from tests.support.limits import DIALLED
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers


async def _silent(peer: MemoryPeer) -> None:
    async for _ in peer:
        pass


async def subscribe(session: SetupSession) -> None:
    assert await session.call("record", ["set up"]) is not None
    await session.notify("record", ["and told"])


async def test_it_runs_after_every_sign_in_and_before_what_waits(peers: Peers) -> None:
    """Signed in, first the setup, then the calls that waited; the same after each reconnect."""
    circle = await peers.start("circle")
    builder = CircleWsClientBuilder(circle.url).with_keypair(KEY).with_reconnect(backoff=QUICK)
    it = builder.with_setup(subscribe).build()
    connecting = later(it.connect())
    await asyncio.sleep(0)
    early = later(it.call("record", ["early"]))
    await connecting
    assert await early == 3
    await circle.ask("cut_all")
    await eventually(lambda: not it.is_connected())
    assert await it.call("record", ["later"]) == 6
    await it.close()
    assert await circle.ask("runs") == ["set up", "and told", "early", "set up", "and told", "later"]


async def test_a_loss_that_it_does_not_notice_fails_the_attempt() -> None:
    """Though the setup itself has returned."""

    async def careless(session: SetupSession) -> None:
        server.peers[-1].close(1012, "restarting")
        with suppress(ConnectionLost):
            await session.call("f")

    server = MemoryServer(_silent)
    it = client("ws://localhost/", key=None, transport=server, setup=careless)
    with pytest.raises(ConnectionFailed, match="closed the connection during the setup"):
        await it.connect()
    await it.close()


async def test_a_loss_in_the_very_moment_of_the_sign_in_fails_the_attempt() -> None:
    """The circle has accepted the key and hung up, before the client could go on."""

    async def curt(peer: MemoryPeer) -> None:
        async for text in peer:
            request = json.loads(text)
            result = "nonce_1234567890_abcdef" if request["method"] == "fetch_nonce" else True
            peer.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))
            if request["method"] == "authenticate":
                peer.close(1012, "restarting")

    it = client("ws://localhost/", transport=MemoryServer(curt))
    with pytest.raises(ConnectionFailed, match="closed the connection as soon as it was open") as caught:
        await it.connect()
    assert isinstance(caught.value.__cause__, ConnectionLost)
    assert caught.value.__cause__.code == 1012
    await it.close()


async def test_a_transport_that_does_not_let_itself_be_cancelled() -> None:
    """A client that is closed meanwhile is closed: the connection that comes all the same is cut."""

    class Stubborn(MemoryServer):
        async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> MemoryTransport:
            dialled.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return await super().__call__(url, receiver, options)

    dialled = asyncio.Event()
    server = Stubborn(_silent)
    it = client("ws://localhost/", key=None, transport=server)
    connecting = later(it.connect())
    await dialled.wait()
    await it.close()
    assert isinstance(await connecting, ClientClosed)
    assert [peer.loss is None for peer in server.peers] == [False]
    assert it.stats.connects == 0


async def test_what_it_subscribes_to_is_heard(peers: Peers) -> None:
    """A notification that comes during the setup reaches a listener that was there."""
    circle = await peers.start("circle")

    async def ask_for_ticks(session: SetupSession) -> None:
        await session.call("tick", [1])

    it = client(circle.url, setup=ask_for_ticks)
    ticks = it.notifications("tick")
    await it.connect()
    assert await anext(ticks) == {"number": 0}
    await it.close()


async def test_a_refusal_fails_the_attempt(peers: Peers) -> None:
    """An error of the circle's ends the first connect with its words; later it is tried again."""
    error = {"error": {"code": 7, "message": "not yet"}}
    peer = await peers.start(
        "scripted", answers={"subscribe": [error, {"result": 1}, error, {"result": 1}], "f": {"result": 1}}
    )

    async def setup(session: SetupSession) -> None:
        await session.call("subscribe")

    it = client(peer.url, key=None, setup=setup)
    with pytest.raises(ConnectionFailed, match="not yet") as caught:
        await it.connect()
    assert caught.value.phase == "setup"
    assert isinstance(caught.value.__cause__, RpcError)
    await it.connect()
    await peer.ask("cut")
    await eventually(lambda: not it.is_connected())
    assert await it.call("f") == 1
    await it.close()
    methods = [json.loads(text)["method"] for text in await peer.ask("received")]
    assert methods == ["subscribe", "subscribe", "subscribe", "subscribe", "f"]


async def test_a_setup_that_hangs_costs_the_open_timeout(peers: Peers) -> None:
    """The attempt ends, and the error and a waiting call's say where."""
    peer = await peers.start("scripted")
    setting_up = asyncio.Event()

    async def hang(session: SetupSession) -> None:
        setting_up.set()
        await session.call("silent")

    it = client(peer.url, key=None, setup=hang, open_timeout=DIALLED)
    connecting = later(it.connect())
    await setting_up.wait()
    waiting = await later(it.call("f", timeout=0.05))
    assert isinstance(waiting, CallTimeout)
    assert waiting.phase == "setup"
    failure = await connecting
    assert isinstance(failure, ConnectionFailed)
    assert failure.phase == "setup"
    assert "setup" in str(failure)
    await it.close()


async def test_a_fault_in_the_setup_ends_the_client(peers: Peers) -> None:
    """A fault of the program's own is told as it is, at once: no attempt would mend it."""
    peer = await peers.start("scripted")

    async def faulty(session: SetupSession) -> None:
        raise KeyError("a fault")

    it = client(peer.url, key=None, setup=faulty, first_connect="retry")
    with pytest.raises(KeyError):
        await it.connect()
    assert it.status is ConnectionStatus.FAILED
    await it.close()


async def test_a_classifier_is_asked_about_a_fault_in_the_setup(peers: Peers) -> None:
    """With the phase `setup`: where it says so, the attempt is made again, the first one too."""
    peer = await peers.start("scripted", answers={"f": {"result": 1}})
    faults = [KeyError("not there yet"), None, OSError("the file is gone"), None]
    seen: list[Failure] = []

    async def setup(session: SetupSession) -> None:
        if (fault := faults.pop(0)) is not None:
            raise fault

    def classify(failure: Failure) -> Verdict | None:
        seen.append(failure)
        return Verdict(retry=True) if failure.phase == "setup" else None

    async with client(peer.url, key=None, setup=setup, classifier=classify) as it:
        await peer.ask("cut")
        await eventually(lambda: it.stats.connects == 2)
        assert await it.call("f") == 1
    assert [(type(failure.cause), failure.ever_connected) for failure in seen if failure.phase == "setup"] == [
        (KeyError, False),
        (OSError, True),
    ]


async def test_a_fault_in_the_setup_on_a_reconnect_ends_the_client(peers: Peers) -> None:
    """By default, and where the classifier leaves it to that: what waits gets it as it is."""
    peer = await peers.start("scripted")
    faults = [None, KeyError("a fault")]

    async def setup(session: SetupSession) -> None:
        if (fault := faults.pop(0)) is not None:
            raise fault

    it = client(peer.url, key=None, setup=setup, classifier=lambda failure: None)
    await it.connect()
    await peer.ask("cut")
    await eventually(lambda: not it.is_connected())
    assert isinstance(await later(it.call("f")), KeyError)
    assert it.status is ConnectionStatus.FAILED
    assert isinstance(it.failure, KeyError)
    await it.close()


async def test_a_connection_that_goes_down_in_the_setup_fails_the_attempt(peers: Peers) -> None:
    """The setup need not notice it."""
    peer = await peers.start("scripted")

    async def careless(session: SetupSession) -> None:
        await session.notify("first")
        await peer.ask("cut")
        for _ in range(20):
            await asyncio.sleep(0.01)

    it = client(peer.url, key=None, setup=careless)
    with pytest.raises(ConnectionFailed, match="setup"):
        await it.connect()
    await it.close()


async def test_what_it_sends_is_checked(peers: Peers) -> None:
    """What is no JSON is a fault of the program's, and told as the failed attempt's cause."""
    peer = await peers.start("scripted")

    async def unplain(session: SetupSession) -> None:
        await session.notify("f", {1})  # type: ignore[arg-type]

    it = client(peer.url, key=None, setup=unplain)
    with pytest.raises(ConnectionFailed) as caught:
        await it.connect()
    assert isinstance(caught.value.__cause__, InvalidRequest)
    await it.close()
