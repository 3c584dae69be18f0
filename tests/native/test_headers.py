"""Headers in the opening handshake: what a circle gets, functions that give them, and that no value is told."""

import asyncio
import functools
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from circle_ws import CircleWsClientBuilder, ConnectionFailed, ConnectionStatus, Failure, Verdict
from circle_ws.transport import Receiver, Transport, TransportOptions, connect
from tests.support.clients import KEY, QUICK, client
from tests.support.outcomes import later
from tests.support.peers import Peers, RemotePeer

SECRET = "Bearer hunter2-hunter2"
HTTP_401 = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def sent(peer: RemotePeer, *names: str) -> list[list[str]]:
    """The values of these headers in each handshake."""
    requests = await peer.ask("requests")
    return [[value for name, value in request if name in names] for request in requests]


async def test_a_circle_gets_the_headers(peers: Peers) -> None:
    """They are sent as they are, once each, beside those of the handshake, and again on a reconnect."""
    peer = await peers.start("opening")
    headers = {"Authorization": SECRET, "Cookie": "a=b; c=d", "X-Empty": ""}
    async with client(peer.url, key=None, headers=headers) as it:
        assert await it.call("echo", ["first"]) == "first"
        await peer.ask("drop_all")
        assert await it.call("echo", ["second"], idempotent=True) == "second"
    assert await sent(peer, *headers) == [list(headers.values())] * 2
    ((host,), _) = await sent(peer, "Host")
    assert host == peer.url.removeprefix("ws://").rstrip("/")


async def test_the_user_agent_can_be_another(peers: Peers) -> None:
    """By default it names this library; a program may name itself instead, in whatever case."""
    peer = await peers.start("opening")
    for options in ({}, {"headers": {"user-agent": "my-service/1.0"}}):
        async with client(peer.url, key=None, **options):
            pass
    ours, theirs = await sent(peer, "User-Agent", "user-agent")
    assert ours[0].startswith("circle-ws ")
    assert theirs == ["my-service/1.0"]


async def test_a_circle_lets_an_origin_in(peers: Peers) -> None:
    """A circle that serves one page only lets a program in that says to be that page; the sign-in follows."""
    circle = await peers.start("circle", origins=["https://app.example"])
    builder = CircleWsClientBuilder(circle.url).with_keypair(KEY)
    async with builder.with_headers({"Origin": "https://app.example"}).build() as it:
        assert await it.play("40 + 2") == "42"
    with pytest.raises(ConnectionFailed) as caught:
        await builder.with_headers({"Origin": "https://other.example"}).build().connect()
    assert caught.value.http_status == 403


class Tokens:
    """Gives another token each time."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.given = 0

    async def __call__(self) -> Mapping[str, str]:
        self.given += 1
        outcome = self.outcomes.pop(0) if self.outcomes else {"Authorization": f"Bearer {self.given}"}
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_a_function_is_asked_at_every_attempt(peers: Peers) -> None:
    """A token that has expired meanwhile is not sent again."""
    peer = await peers.start("opening")
    tokens = Tokens()
    async with client(peer.url, key=None, headers=tokens) as it:
        for _ in range(2):
            await peer.ask("drop_all")
            await it.call("echo", ["again"], idempotent=True)
    assert await sent(peer, "Authorization") == [["Bearer 1"], ["Bearer 2"], ["Bearer 3"]]


def _at_once() -> dict[str, str]:
    return {"Authorization": SECRET}


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (Tokens(OSError(f"no token for {SECRET}")), "^the headers function raised OSError$"),
        (Tokens(TimeoutError()), "^the headers function raised TimeoutError$"),
        (Tokens(KeyError("token")), "^the headers function raised KeyError$"),
        (
            Tokens(None),
            "returned headers that cannot be sent: headers must be a mapping of names to values, not NoneType$",
        ),
        (Tokens([("A", SECRET)]), "must be a mapping of names to values, not list$"),
        (Tokens({"Authorization": SECRET + "\n"}), "a value for 'Authorization' with a line break"),
        (Tokens({"Host": SECRET}), "has 'Host', which the handshake itself sets"),
        (_at_once, "^headers must come from an async function, but it returned dict at once$"),
    ],
    ids=lambda value: value[-25:-1] if isinstance(value, str) else "",
)
async def test_a_function_that_fails_is_a_failed_attempt(peers: Peers, function: Any, words: str) -> None:
    """It is told in words and without values; nothing is dialled."""
    peer = await peers.start("opening")
    it = client(peer.url, key=None, headers=function)
    with pytest.raises(ConnectionFailed, match=words) as caught:
        await it.connect()
    assert caught.value.phase == "open"
    assert SECRET not in str(caught.value)
    assert it.status is ConnectionStatus.FAILED
    assert await peer.ask("requests") == []
    await it.close()


async def test_another_attempt_asks_again(peers: Peers) -> None:
    """What fails now may work later: it is retried like any failed attempt, and a classifier may see why."""
    peer = await peers.start("opening")
    causes: list[Any] = []

    def look(failure: Failure) -> Verdict | None:
        causes.append((failure.phase, type(failure.cause.__cause__)))
        return None

    tokens = Tokens(OSError("down"), None)
    async with client(peer.url, key=None, headers=tokens, first_connect="retry", classifier=look) as it:
        assert await it.call("echo", ["at last"]) == "at last"
    assert [phase for phase, _ in causes] == ["open", "open"]
    assert causes[0][1] is OSError
    assert await sent(peer, "Authorization") == [["Bearer 3"]]


class Hanging:
    """Never gives anything."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.ended = False

    async def __call__(self) -> Mapping[str, str]:
        self.asked.set()
        try:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]
        finally:
            self.ended = True


async def test_a_function_that_hangs_is_in_the_time_of_the_attempt(peers: Peers) -> None:
    """`open_timeout` covers it, and says that it was it."""
    peer = await peers.start("opening")
    hanging = Hanging()
    it = client(peer.url, key=None, headers=hanging, open_timeout=0.05)
    with pytest.raises(ConnectionFailed, match="it ended while waiting for the headers function") as caught:
        await it.connect()
    assert caught.value.phase == "open"
    assert hanging.ended
    await it.close()


async def test_closing_while_a_function_is_asked(peers: Peers) -> None:
    """`close()` ends the function too, at once."""
    peer = await peers.start("opening")
    hanging = Hanging()
    it = client(peer.url, key=None, headers=hanging, open_timeout=None)
    connecting = later(it.connect())
    await hanging.asked.wait()
    await it.close()
    assert hanging.ended
    assert isinstance(await connecting, Exception)


class Nowhere:
    """Dials for ever, as into a network that swallows everything."""

    capabilities = connect.capabilities

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]


async def test_after_a_function_the_wait_is_for_the_circle() -> None:
    """When the function is done it is not blamed for what comes after it."""
    it = client("wss://circle.example/", headers=Tokens(), open_timeout=0.05, transport=Nowhere())
    with pytest.raises(ConnectionFailed, match="it ended while waiting for the WebSocket to open"):
        await it.connect()
    await it.close()


@pytest.mark.parametrize("how", ["mapping", "function"])
async def test_no_value_is_told(peers: Peers, caplog: pytest.LogCaptureFixture, how: str) -> None:
    """With every logger at DEBUG: neither in a log, nor in an error or what it came from, nor in a repr."""

    async def give(secret: str) -> Mapping[str, str]:
        return {"Authorization": secret, "X-Tenant": secret}

    bound = functools.partial(give, SECRET)
    headers = await bound() if how == "mapping" else bound
    good, bad = await peers.start("opening"), await peers.start("tcp", reply=HTTP_401)
    texts = []
    with caplog.at_level(logging.DEBUG):
        for name in ("asyncio", "websockets", "websockets.client", "circle_ws"):
            caplog.set_level(logging.DEBUG, name)
        async with client(good.url, key=None, headers=headers) as it:
            await it.call("echo", ["hello"])
            texts += [repr(it), repr(it._supervisor.config)]
        it = client(bad.url, key=None, headers=headers)
        with pytest.raises(ConnectionFailed) as caught:
            await it.connect()
        error: BaseException | None = caught.value
        while error is not None:
            texts += [str(error), repr(error), repr(vars(error))]
            error = error.__cause__ or error.__context__
        await it.close()
    assert await sent(good, "Authorization", "X-Tenant") == [[SECRET, SECRET]]
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    assert len(told) > 5
    assert [text for text in texts + told if "hunter2" in text] == []


def test_the_options_of_a_transport_show_no_secret() -> None:
    """What the engine tells a transport may be printed by one that is being written."""
    options = TransportOptions(headers={"Authorization": SECRET}, proxy="http://name:hunter2@proxy.example:3128")
    assert "hunter2" not in repr(options)


@pytest.mark.parametrize(("first_connect", "attempts"), [("once", 1), ("retry", 3)])
async def test_a_refused_token_is_no_endless_loop(
    peers: Peers, first_connect: str, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A circle that answers 401 ends the first attempt, with its status, or the third where two minutes are over."""
    monkeypatch.setattr("circle_ws.policy.verdict.ENOUGH_SECONDS", 0.0)
    peer = await peers.start("tcp", reply=HTTP_401)
    it = client(peer.url, key=None, headers={"Authorization": SECRET}, first_connect=first_connect, backoff=QUICK)
    with pytest.raises(ConnectionFailed) as caught:
        await it.connect()
    assert caught.value.http_status == 401
    assert "with_headers()" in str(caught.value)
    assert await peer.ask("count") == attempts
    await it.close()
