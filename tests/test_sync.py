"""The blocking client, in both runtimes against the real circle: each method waits, with the async client's outcome."""

import asyncio
import contextvars
import inspect
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import circle_ws
import circle_ws.sync
from circle_ws import (
    CallTimeout,
    CircleWsClientBuilder,
    ClientClosed,
    ConfigError,
    ConnectionFailed,
    ConnectionStatus,
    Gap,
    InvalidRequest,
    InvalidResult,
    NotConnected,
    Notification,
    OutcomeUnknown,
    QueueFull,
    Request,
    RpcError,
    SignerFailed,
)
from circle_ws.auth import Challenge, KeyPair, derive_public_key
from circle_ws.auth.crypto_utils import sign_message
from circle_ws.config import ClientOptions
from circle_ws.sync import CircleWsClient, SyncCallNext, SyncSetupSession
from circle_ws.sync.batch import _driven
from circle_ws.testing import loop
from tests.support.clients import KEY, QUICK
from tests.support.limits import PATIENCE
from tests.support.peers import Peers, RemotePeer

_NATIVE = sys.platform != "emscripten"
_VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("_VARIABLE", default="unset")


class Circle:
    """The circle of a test, asked from blocking code."""

    def __init__(self, peer: RemotePeer) -> None:
        self.peer = peer
        self.url = peer.url

    def ask(self, name: str, **arguments: Any) -> Any:
        return loop.run(self.peer.ask(name, **arguments))


@pytest.fixture
def circle(peers: Peers) -> Circle:
    return Circle(loop.run(peers.start("circle")))


@pytest.fixture
def client(circle: Circle) -> Iterator[CircleWsClient]:
    with connect(circle) as client:
        yield client


def connect(circle: Circle, **options: Any) -> CircleWsClient:
    return circle_ws.sync.connect(circle.url, **{"private_key": KEY, "backoff": QUICK, **options})


def apart() -> bool:
    """Return whether user code that runs now is where it should be: natively not on the loop."""
    return not _NATIVE or threading.current_thread().name != "circle-ws"


# Its form.


def _members() -> list[str]:
    return [name for name in vars(circle_ws.CircleWsClient) if not name.startswith("_")]


def _sections(text: str) -> dict[str, list[str]]:
    """Return the names that each section of a docstring describes."""
    parts = re.split(r"^ *(Args|Returns|Raises|Attributes):$", text, flags=re.MULTILINE)
    return {
        title: re.findall(r"^ {12}(\w+):|^ {4}(\w+):", body, re.MULTILINE)
        for title, body in zip(parts[1::2], parts[2::2], strict=True)
        if title != "Returns"
    }


@pytest.mark.parametrize("name", _members())
def test_it_has_the_members_of_the_async_client(name: str) -> None:
    """Each has the same arguments with the same defaults and types, is documented alike, and waits by itself."""
    ours, theirs = getattr(CircleWsClient, name), getattr(circle_ws.CircleWsClient, name)
    assert type(ours) is type(theirs)
    assert (
        ours.__doc__.partition("\n")[0].replace("in a thread", "from the event loop")
        == theirs.__doc__.partition("\n")[0]
    )
    mine, other = _sections(ours.__doc__), _sections(theirs.__doc__)
    if name == "start":
        # Whether an event loop runs is no question of its caller's.
        other["Raises"].pop()
    if name == "close":
        other["Raises"].pop()
    assert mine == other
    if callable(theirs):
        assert not inspect.iscoroutinefunction(ours)
        assert list(inspect.signature(ours).parameters.values()) == list(inspect.signature(theirs).parameters.values())


def test_its_members_are_those_of_the_async_client() -> None:
    """It has no others."""
    assert [name for name in vars(CircleWsClient) if not name.startswith("_")] == _members()


def test_its_options_are_those_of_the_async_client() -> None:
    """`circle_ws.sync.connect` takes the same options."""
    assert sorted(circle_ws.sync.Options.__annotations__) == sorted(ClientOptions.__annotations__)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (circle_ws.sync.Listener, circle_ws.Listener),
        (circle_ws.sync.StatusChanges, circle_ws.StatusChanges),
        (circle_ws.sync.Batch, circle_ws.Batch),
    ],
)
def test_what_it_returns_has_the_members_of_the_async_one(ours: Any, theirs: Any) -> None:
    """Listeners and batches too have the same methods with the same arguments; `aclose` is `close`."""
    for name in (name for name in dir(theirs) if not name.startswith("_")):
        mine, other = getattr(ours, name.removeprefix("a")), getattr(theirs, name)
        assert mine.__doc__.partition("\n")[0] == other.__doc__.partition("\n")[0]
        if callable(other):
            assert str(inspect.signature(mine).replace(return_annotation=None)) == str(
                inspect.signature(other).replace(return_annotation=None)
            )


# Connecting, calling, closing.


def test_sign_in_and_get_answers(circle: Circle) -> None:
    """`connect` returns a connected client; its block closes it."""
    with connect(circle) as client:
        assert client.is_connected()
        assert client.status.value == "connected"
        assert client.play("40 + 2") == "42"
        assert client.whoami() == {"pubkey": derive_public_key(KEY, compressed=True)}
        assert client.public_key == derive_public_key(KEY)
        assert client.call("echo", [[1, 2]], returns=list[int]) == [1, 2]
        assert client.call("echo", {"value": "7"}, returns=float.fromhex) == 7
        client.notify("record", ["told"])
        assert client.call("record", ["asked"], timeout=10, idempotent=True) == 2
        assert client.stats.calls == 5
        assert client.capabilities.subprotocols
        assert repr(client).startswith("<circle_ws.sync.CircleWsClient ws://")
    assert not client.is_connected()
    assert client.status is ConnectionStatus.CLOSED
    with pytest.raises(ClientClosed):
        client.call("echo", [1])
    with pytest.raises(ClientClosed):
        client.connect()
    client.close()


def test_the_builder_builds_one(circle: Circle) -> None:
    """`build_sync()` dials nothing; the block connects, and one that raises closes."""
    client = CircleWsClientBuilder(circle.url).with_keypair(KEY).build_sync()
    assert client.status.value == "idle"
    for use in (lambda: client.call("echo", [1]), client.reconnect, client.wait_until_connected):
        with pytest.raises(NotConnected):
            use()
    with pytest.raises(ZeroDivisionError), client:
        assert client.call("echo", [1]) == 1
        raise ZeroDivisionError
    assert client.status is ConnectionStatus.CLOSED


def test_a_client_that_cannot_connect_says_why() -> None:
    """The error is that of the async client; in a block the client is closed, else FAILED."""
    with pytest.raises(ConnectionFailed):
        circle_ws.sync.connect("ws://127.0.0.1:1/", private_key=KEY)
    with pytest.raises(ConfigError, match="unknown option retries"):
        circle_ws.sync.connect("ws://127.0.0.1:1/", retries=3)  # type: ignore[call-arg]
    client = CircleWsClientBuilder("ws://127.0.0.1:1/").build_sync()
    with pytest.raises(ConnectionFailed):
        client.connect()
    assert client.status is ConnectionStatus.FAILED
    assert isinstance(client.failure, ConnectionFailed)
    with pytest.raises(ConnectionFailed), client.notifications("tick") as listener:
        listener.get()
    client.close()


def test_errors_are_those_of_the_async_client(client: CircleWsClient) -> None:
    """What the circle answers, what cannot be sent, what takes too long, what does not fit."""
    with pytest.raises(RpcError, match="internal error|fault"):
        client.call("fail")
    with pytest.raises(InvalidRequest):
        client.call("echo", [object()])
    with pytest.raises(InvalidRequest):
        client.call("echo", [1], timeout=-1)
    with pytest.raises(CallTimeout, match="'hold' took longer than 0.05 s"):
        client.call("hold", [1], timeout=0.05)
    with pytest.raises(InvalidResult):
        client.call("echo", ["text"], returns=int)
    with pytest.raises(InvalidResult, match="refused it with ZeroDivisionError"):
        client.call("echo", [0], returns=lambda value: 1 / value)
    assert client.call("echo", [0], returns=lambda _: threading.get_ident()) == threading.get_ident()
    assert client.call("echo", [1]) == 1


def test_start_and_wait(circle: Circle) -> None:
    """`start()` returns at once; calls, and `wait_until_connected`, wait for the connection; `reconnect` makes one."""
    client = CircleWsClientBuilder(circle.url).with_keypair(KEY).with_reconnect(backoff=QUICK).build_sync()
    client.start()
    client.start()
    assert client.call("echo", [1]) == 1
    client.wait_until_connected(timeout=10)
    with client.status_changes() as changes:
        assert changes.get().status is ConnectionStatus.CONNECTED
        client.reconnect()
        assert changes.get(timeout=PATIENCE).status is ConnectionStatus.WAITING
    client.wait_until_connected()
    assert client.call("echo", [2]) == 2
    assert client.stats.connects == 2
    client.close(drain=0)


def test_a_call_whose_connection_is_lost(circle: Circle, client: CircleWsClient) -> None:
    """It may have run, and says so; the next one waits for the next connection."""
    with pytest.raises(OutcomeUnknown):
        client.call("drop", {"code": 1001})
    assert client.call("echo", [1]) == 1


# Batches.


def test_a_batch(client: CircleWsClient) -> None:
    """Each result is its own; the block ends when all are there."""
    with client.batch() as batch:
        one = batch.call("echo", [1], returns=int)
        wrong = batch.call("echo", ["text"], returns=int)
        failed = batch.call("fail")
        batch.notify("record", ["told"])
        with pytest.raises(InvalidRequest, match="after the block"):
            one.result()
    assert one.result() == one.result() == 1
    with pytest.raises(InvalidResult):
        wrong.result()
    with pytest.raises(RpcError):
        failed.result()
    assert client.call("record", ["asked"]) == 2
    with pytest.raises(InvalidRequest):
        batch.call("echo", [1])
    assert client.stats.failures == 2


def test_a_batch_that_is_not_sent(circle: Circle, client: CircleWsClient) -> None:
    """An exception in the block sends nothing; a batch that cannot be sent raises at its end."""
    with pytest.raises(ZeroDivisionError), client.batch() as batch:
        one = batch.call("record", [1])
        raise ZeroDivisionError
    with pytest.raises(InvalidRequest, match="not sent"):
        one.result()
    assert circle.ask("runs") == []
    with client.batch(timeout=0.05) as batch:
        one = batch.call("hold", [1])
    with pytest.raises(CallTimeout):
        one.result()
    with pytest.raises(InvalidRequest, match="maximum of 1000"), client.batch() as batch:
        for number in range(1001):
            batch.notify("record", [number])
    client.close()
    with pytest.raises(ClientClosed), client.batch() as batch:
        batch.call("echo", [1])


# Notifications and changes of status.


def test_notifications(circle: Circle, client: CircleWsClient) -> None:
    """They are iterated over, got one by one within a time, or taken all at once; a time that passes loses none."""
    with client.notifications("tick", yields=dict[str, int]) as ticks:
        with pytest.raises(CallTimeout, match="nothing arrived within 0 s"):
            ticks.get(timeout=0)
        with pytest.raises(CallTimeout, match=r"nothing arrived within 0\.01 s"):
            ticks.get(timeout=0.01)
        with pytest.raises(InvalidRequest):
            ticks.get(timeout=-1)
        client.call("tick", [5])
        assert len(ticks) == 5
        assert ticks.get(timeout=0) == {"number": 0}
        assert next(ticks) == {"number": 1}
        assert len(ticks) == 3
        client.call("tick", [1])
        assert ticks.batch() == [{"number": number} for number in (2, 3, 4, 0)]
        assert ticks.dropped == 0
    with pytest.raises(StopIteration):
        next(ticks)
    with pytest.raises(ClientClosed, match="no more items"):
        ticks.get()
    assert ticks.batch() == []


def test_all_notifications(circle: Circle, client: CircleWsClient) -> None:
    """Without a name all of them come, with theirs; the loop ends when the client closes."""
    seen: list[Any] = []
    with client.notifications() as everything:
        circle.ask("push", method="a", params=[1])
        circle.ask("push", method="b", params={"x": 2})
        for notification in everything:
            seen.append(notification)
            if len(seen) == 2:
                client.close()
    assert seen == [Notification("a", [1]), Notification("b", {"x": 2})]


def test_a_notification_that_does_not_fit(circle: Circle, client: CircleWsClient) -> None:
    """It raises in the thread that reads, and the next one can be read; a batch ends before it."""
    with client.notifications("n", yields=int) as numbers:
        for value in (1, "two", 3):
            circle.ask("push", method="n", params=[value])
        with pytest.raises(InvalidResult):
            # Params are a list.
            numbers.get(timeout=PATIENCE)
    with client.notifications("n", yields=lambda params: int(params[0])) as numbers:
        for value in (1, "two", 3):
            circle.ask("push", method="n", params=[value])
        client.call("echo", [1])
        assert numbers.batch() == [1]
        with pytest.raises(InvalidResult, match="ValueError"):
            numbers.batch()
        assert numbers.batch() == [3]


def test_a_gap_and_a_full_buffer(circle: Circle, client: CircleWsClient) -> None:
    """The options are those of the async client."""
    with (
        client.notifications("tick", gaps=True, buffer=2) as ticks,
        client.notifications("tick", overflow="latest") as latest,
        client.notifications("tick", overflow="close", buffer=1) as strict,
    ):
        client.call("tick", [4])
        assert ticks.batch() == [Gap(2, 0.0), {"number": 2}, {"number": 3}]
        assert ticks.dropped == 2
        assert latest.get() == {"number": 3}
        assert strict.get() == {"number": 0}
        with pytest.raises(QueueFull):
            strict.get()
    with pytest.raises(InvalidRequest):
        client.notifications(yields=int)  # type: ignore[call-overload]


def test_changes_of_status(circle: Circle) -> None:
    """An iterator from the present status to CLOSED, and a callback that is called in order."""
    client = CircleWsClientBuilder(circle.url).with_keypair(KEY).build_sync()
    told: list[tuple[ConnectionStatus, bool, str]] = []
    _VARIABLE.set("as registered")
    remove = client.on_status(lambda change: told.append((change.status, apart(), _VARIABLE.get())))
    _VARIABLE.set("later")
    forgotten: list[Any] = []
    client.on_status(forgotten.append)()
    changes = client.status_changes()
    with client:
        pass
    seen = [change.status for change in changes]
    assert changes.skipped == 0
    assert seen[0] is ConnectionStatus.IDLE
    assert seen[-1] is ConnectionStatus.CLOSED
    while len(told) < len(seen) - 1:
        loop.run(loop.settle())
    assert told == [(status, True, "as registered") for status in seen[1:]]
    assert not forgotten
    remove()
    with pytest.raises(InvalidRequest):
        client.on_status(None)  # type: ignore[arg-type]


def test_protocol_errors_are_told(circle: Circle, client: CircleWsClient) -> None:
    """A callback may block, and use the client."""
    told: list[Any] = []
    done = threading.Event()

    def note(error: Exception) -> None:
        told.append((str(error), client.call("echo", ["from the callback"]), apart()))
        done.set()

    client.on_protocol_error(note)
    client._do(lambda: client._client._supervisor.protocol_errors.report(circle_ws.ProtocolError("odd")))
    while not done.is_set():
        loop.run(loop.settle())
    assert told == [("odd", "from the callback", True)]


# Functions of the user's.


def test_a_handler_may_block_and_use_the_client(circle: Circle, client: CircleWsClient) -> None:
    """Its params are converted as ever; what it raises is the answer."""

    def twice(value: int) -> list[Any]:
        assert apart()
        return [client.call("echo", [2 * value]), _VARIABLE.get()]

    def refuse() -> None:
        raise RpcError(7, "not today")

    async def asynchronous() -> str:
        return "from a coroutine"

    _VARIABLE.set("registered")
    remove = client.handle("twice", twice)
    _VARIABLE.set("later")
    client.handle("refuse", refuse)
    client.handle("asynchronous", asynchronous)
    assert circle.ask("ask_client", method="twice", params=[21]) == {"result": [42, "registered"]}
    assert circle.ask("ask_client", method="twice", params=["no"])["error"][0] == -32602
    assert circle.ask("ask_client", method="refuse")["error"][:2] == [7, "not today"]
    assert circle.ask("ask_client", method="asynchronous") == {"result": "from a coroutine"}
    with pytest.raises(InvalidRequest):
        client.handle("twice", twice)
    with pytest.raises(InvalidRequest):
        client.handle("other", None)  # type: ignore[arg-type]
    remove()
    assert circle.ask("ask_client", method="twice", params=[21])["error"][0] == -32601


def test_a_setup_may_block(circle: Circle) -> None:
    """It runs after every sign-in, and its session waits too; an error fails the attempt."""
    seen: list[Any] = []

    def setup(session: SyncSetupSession) -> None:
        session.notify("record", ["setup"])
        seen.append((session.call("echo", [1]), apart()))

    with connect(circle, setup=setup) as client:
        client.reconnect()
        client.wait_until_connected()
        assert client.call("echo", [2]) == 2
    assert seen == [(1, True)] * 2

    def fail(session: SyncSetupSession) -> None:
        session.call("fail")

    with pytest.raises(ConnectionFailed, match="the setup failed"):
        connect(circle, setup=fail)


class _Signer:
    """A signer whose methods are plain functions."""

    profiles = frozenset({"eip191"})

    def __init__(self, refuse: bool = False) -> None:
        self.refuse = refuse

    def public_key(self) -> str:
        assert apart()
        return derive_public_key(KEY)

    def sign(self, challenge: Challenge) -> str:
        assert apart()
        if self.refuse:
            raise PermissionError("no")
        return sign_message(KEY, challenge.statement, profile=challenge.profile)


class _AsyncSigner:
    """The same, async."""

    profiles = frozenset({"eip191"})

    async def public_key(self) -> str:
        return derive_public_key(KEY)

    async def sign(self, challenge: Challenge) -> str:
        return sign_message(KEY, challenge.statement, profile=challenge.profile)


@pytest.mark.parametrize("signer", [_Signer(), _AsyncSigner(), KeyPair(KEY)])
def test_a_signer_may_block(circle: Circle, signer: Any) -> None:
    """Its key is known to the circle; so is that of an async one."""
    client = CircleWsClientBuilder(circle.url).with_auth(policy="legacy-only").with_signer(signer).build_sync()
    with client:
        assert client.whoami() == {"pubkey": derive_public_key(KEY, compressed=True)}


def test_a_signer_that_refuses(circle: Circle) -> None:
    """It is fatal, as ever."""
    with pytest.raises(SignerFailed, match="PermissionError"):
        connect(circle, private_key=None, signer=_Signer(refuse=True), policy="legacy-only")


def test_middleware_runs_in_the_thread_that_calls(circle: Circle) -> None:
    """The first is the outermost; each may call again, change the request, or answer itself; batches go through too."""
    seen: list[Any] = []
    here = threading.get_ident()

    def outer(request: Request, call_next: SyncCallNext) -> Any:
        seen.append(("outer", request.method, threading.get_ident() == here))
        result = call_next(request)
        return {"outer": result} if not request.batch else result

    async def middle(request: Request, call_next: circle_ws.CallNext) -> Any:
        seen.append(("middle", request.method, True))
        return await call_next(request)

    def inner(request: Request, call_next: SyncCallNext) -> Any:
        seen.append(("inner", request.method, apart()))
        if request.method == "record":
            call_next(request)
        return call_next(request)

    builder = CircleWsClientBuilder(circle.url).with_keypair(KEY).with_middleware(outer, middle, inner)
    with builder.build_sync() as client:
        assert client.call("echo", [1]) == {"outer": 1}
        assert client.call("record", [1]) == {"outer": 2}
        assert client.call("echo", ["7"], returns=lambda it: int(it["outer"])) == 7
        with client.batch() as batch:
            one = batch.call("echo", [2])
        assert one.result() == 2
        with pytest.raises(RpcError):
            client.call("fail")
    assert seen[:3] == [(name, "echo", True) for name in ("outer", "middle", "inner")]
    assert {"batch", "record", "fail"} < {method for _, method, _ in seen}
    assert all(well for _, _, well in seen)


def test_the_deadline_of_a_call_through_middleware(circle: Circle) -> None:
    """All that middleware sends has the one deadline of the call, however often it calls."""

    def stubborn(request: Request, call_next: SyncCallNext) -> Any:
        try:
            return call_next(request)
        except CallTimeout:
            return call_next(request)

    with connect(circle, middleware=[stubborn]) as client:
        with pytest.raises(CallTimeout, match="middleware") as caught:
            client.call("hold", [1], timeout=0.05)
        assert caught.value.phase == "middleware"
        assert client.call("echo", [1], timeout=None) == 1
        assert circle.ask("runs") == [1]


def test_middleware_must_answer_a_batch_as_a_whole(circle: Circle) -> None:
    """One that does not is told so."""
    with (
        connect(circle, middleware=[lambda request, call_next: 1]) as client,
        pytest.raises(TypeError, match="list of as many outcomes"),
        client.batch() as batch,
    ):
        batch.call("echo", [1])


def test_what_a_batch_runs_never_waits() -> None:
    """That it did would be a fault of ours: its thread has no event loop."""

    async def wait() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="a coroutine of a batch waited"):
        _driven(wait())


def test_a_setup_may_be_async(circle: Circle) -> None:
    """Then it has the session of the async client, and runs on the loop."""
    seen: list[Any] = []

    async def setup(session: circle_ws.SetupSession) -> None:
        seen.append(await session.call("echo", [1]))

    with connect(circle, setup=setup) as client:
        assert client.call("echo", [2]) == 2
    assert seen == [1]
