"""URL and subprotocols that a function returns at every attempt: what is dialled, what fails, and what is shown."""

import asyncio
import functools
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from circle_ws import CircleWsClientBuilder, ClientConfig, ConfigError, ConnectionFailed, ConnectionStatus
from circle_ws.testing import QUICK, Circle, loop
from circle_ws.transport import Connect, Receiver, Transport, TransportOptions
from tests.support.clients import KEY, client
from tests.support.peers import Peers, RemotePeer
from tests.support.signers import Vault

SECRET = "hunter2.hunter2"
URL = "wss://circle.example/02ab"


def counting(form: str) -> Callable[[], str]:
    """Return a function that returns the form with 1, 2, 3 ..."""
    numbers = iter(range(1, 100))
    return lambda: form.format(next(numbers))


class Recording:
    """A transport of a circle in memory that remembers what was dialled, and may fail."""

    def __init__(self, circle: Circle, failure: Exception | None = None) -> None:
        self._connect: Connect = circle.transport
        self._failure = failure
        self.capabilities = replace(self._connect.capabilities, subprotocols=True)
        self.urls: list[str] = []
        self.offered: list[tuple[str, ...]] = []

    async def __call__(self, url: str, receiver: Receiver, options: TransportOptions) -> Transport:
        self.urls.append(url)
        self.offered.append(options.subprotocols)
        if self._failure is not None:
            raise self._failure
        return await self._connect(url, receiver, options)


def all_of(error: BaseException | None) -> str:
    """Return all that an error and its causes tell."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


async def offered(peer: RemotePeer) -> list[str]:
    """What came in the header `Sec-WebSocket-Protocol` of each handshake."""
    requests = await peer.ask("requests")
    return [value for request in requests for name, value in request if name.lower() == "sec-websocket-protocol"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_a_function_is_asked_at_every_attempt(is_async: bool) -> None:
    """A token that has expired meanwhile is not sent again; what is dialled is the normalised URL."""
    circle = Circle()
    dialled = Recording(circle)
    url, name = counting("WSS://Circle.Example:443/02ab?token={}"), counting("token.{}")

    async def url_later() -> str:
        await asyncio.sleep(0)
        return url()

    async def names_later() -> list[str]:
        return ["circle.v1", name()]

    builder = CircleWsClientBuilder("wss://elsewhere.example/").with_keypair(KEY).with_transport(dialled)
    builder = builder.with_url(url_later if is_async else url).with_reconnect(backoff=QUICK)
    builder = builder.with_subprotocols(names_later if is_async else lambda: ("circle.v1", name()))
    async with builder.build() as it:
        for _ in range(2):
            await circle.drop()
            await it.wait_until_connected()
    assert dialled.urls == [f"wss://circle.example/02ab?token={number}" for number in (1, 2, 3)]
    assert dialled.offered == [("circle.v1", f"token.{number}") for number in (1, 2, 3)]


async def test_the_sign_in_is_for_the_circle_that_was_dialled() -> None:
    """The bound signature names the URL of the attempt without its query, whatever the builder was made with."""
    circle = Circle(public_url=URL)
    for url, fits in ((f"{URL}?token={SECRET}", True), ("wss://other.example/02ab", False)):
        builder = CircleWsClientBuilder(functools.partial(str, url)).with_keypair(KEY).with_auth(policy="require-bound")
        it = builder.with_transport(circle.transport).build()
        if fits:
            async with it:
                assert await it.whoami()
        else:
            with pytest.raises(Exception, match="rejected|refused"):
                await it.connect()
            await it.close()


async def test_a_signer_is_not_told_the_query() -> None:
    """What it shows to a person, or writes to a log, is the circle."""
    vault = Vault()
    it = client(lambda: f"{URL}?token={SECRET}", key=None, signer=vault, transport=Circle().transport)
    await it.connect()
    await it.close()
    assert [challenge.url for challenge in vault.asked] == [URL]


async def test_a_circle_takes_the_query_and_the_subprotocol(peers: Peers) -> None:
    """Over a real WebSocket, in every runtime: another subprotocol at each handshake."""
    peer = await peers.start("opening", take="circle.v1")
    name = counting("token.{}")
    it = client(lambda: f"{peer.url}?token=1", key=None, subprotocols=lambda: ["circle.v1", name()])
    async with it:
        assert await it.call("echo", ["first"]) == "first"
        await peer.ask("drop_all")
        assert await it.call("echo", ["second"], idempotent=True) == "second"
    assert await offered(peer) == ["circle.v1, token.1", "circle.v1, token.2"]


async def raising() -> str:
    raise OSError(SECRET)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": raising}, "^the url function raised OSError$"),
        ({"url": lambda: 1 / 0}, "^the url function raised ZeroDivisionError$"),
        ({"url": lambda: None}, "a url that cannot be dialled: url must be a text .* not NoneType$"),
        ({"url": lambda: f"{URL}?token={SECRET}#part"}, r"'wss://circle.example/02ab\?...#...' has a fragment"),
        ({"url": lambda: f"ws://circle.example/?token={SECRET}"}, "signing in over ws:// to another machine"),
        ({"url": lambda: f"https://circle.example/?token={SECRET}"}, "must begin with ws:// or wss://, not https:"),
        ({"subprotocols": raising}, "^the subprotocols function raised OSError$"),
        ({"subprotocols": lambda: SECRET}, "subprotocols that cannot be offered: .*, not str$"),
        ({"subprotocols": lambda: 7}, "subprotocols that cannot be offered: .*, not int$"),
        ({"subprotocols": lambda: [f"{SECRET} x"]}, "without spaces, commas, slashes and brackets, not others$"),
        ({"subprotocols": lambda: [SECRET, SECRET]}, "must be a sequence of different names"),
    ],
    ids=lambda value: value[-25:-1] if isinstance(value, str) else next(iter(value)),
)
async def test_a_function_that_fails_is_a_failed_attempt(options: dict[str, Any], words: str) -> None:
    """It is told in words, without what may be a secret but in the cause; nothing is dialled, and a retry may work."""
    dialled = Recording(Circle())
    given: dict[str, Any] = {"url": URL, "transport": dialled, **options}
    it = client(**given)
    with pytest.raises(ConnectionFailed, match=words) as caught:
        await it.connect()
    assert caught.value.phase == "open"
    assert SECRET not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError) or SECRET not in all_of(caught.value)
    assert it.status is ConnectionStatus.FAILED
    assert dialled.urls == []
    await it.close()


async def test_another_attempt_asks_again() -> None:
    """What fails now may work later: it is retried like any failed attempt."""
    outcomes: list[Any] = [OSError("down"), "nonsense:", URL]

    def give() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return str(outcome)

    it = client(give, transport=Circle().transport, first_connect="retry")
    await it.connect()
    assert outcomes == []
    await it.close()


@pytest.mark.parametrize("option", ["url", "subprotocols"])
async def test_its_time_counts(option: str) -> None:
    """A function that never returns ends with `open_timeout`, and is blamed."""

    async def hang() -> Any:
        await asyncio.get_running_loop().create_future()

    given: dict[str, Any] = {"url": URL, "transport": Recording(Circle()), option: hang, "open_timeout": 0.02}
    it = client(**given)
    with pytest.raises(ConnectionFailed, match=f"while waiting for the {option} function"):
        await it.connect()
    await it.close()


def test_what_is_no_source_is_refused() -> None:
    """When the client is built, as far as it can be known."""

    def with_argument(tenant: str) -> str:
        return tenant

    for option, words in (("url", "a text like"), ("subprotocols", "a sequence of names, or a function")):
        given: dict[str, Any] = {"url": URL, option: with_argument}
        with pytest.raises(ConfigError, match=f"{option} must be {words}.*missing a required argument") as caught:
            client(**given)
        assert caught.value.option == option
    with pytest.raises(ConfigError, match="subprotocols has"):
        CircleWsClientBuilder(URL).with_subprotocols("a", lambda: ["b"]).build()  # type: ignore[call-overload]


async def test_no_token_is_shown(peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG: neither in a log, nor in an error or what it came from, nor in a repr."""
    good, bad = await peers.start("opening", take=SECRET), await peers.start("opening")

    def names() -> Sequence[str]:
        return [SECRET]

    texts = []
    with caplog.at_level(logging.DEBUG):
        for name in ("asyncio", "websockets", "websockets.client", "circle_ws"):
            caplog.set_level(logging.DEBUG, name)
        it = client(lambda: f"{good.url}?token={SECRET}", key=None, subprotocols=names)
        texts.append(repr(it))
        async with it:
            texts += [repr(it), repr(it._supervisor.config)]
            await good.ask("drop_all")
            assert await it.call("echo", [1], idempotent=True) == 1
        it = client(lambda: f"{bad.url}?token={SECRET}", key=None, subprotocols=names)
        with pytest.raises(ConnectionFailed, match="subprotocols") as caught:
            await it.connect()
        texts.append(all_of(caught.value))
        await it.close()
    assert repr(it) == f"<CircleWsClient {bad.url}?... closed>"
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    assert [text for text in told if f"{good.url}?..." in text]
    assert [text for text in texts + told if "hunter2" in text] == []


async def test_an_error_that_quotes_the_url_is_told_without_its_query() -> None:
    """Browsers do, where they refuse one at once."""
    refusal = ConnectionFailed(f"the browser refused to open it: '{URL}?token={SECRET}' is not valid")
    it = client(f"{URL}?token={SECRET}", transport=Recording(Circle(), refusal))
    with pytest.raises(ConnectionFailed, match="refused to open it") as caught:
        await it.connect()
    assert SECRET not in all_of(caught.value)
    await it.close()


async def test_what_is_shown_before_the_first_attempt() -> None:
    """The function by its name, without arguments that are bound to it."""

    def fresh_url() -> str:
        return URL

    it = client(fresh_url, transport=Circle().transport)
    assert repr(it).endswith("fresh_url) idle>")
    await it.connect()
    assert repr(it) == f"<CircleWsClient {URL} connected>"
    await it.close()


def test_a_relative_url_means_the_same_as_in_the_option() -> None:
    """In a page it is the page's; elsewhere it is refused, in the same words."""
    config = ClientConfig(lambda: URL)
    try:
        expected = ClientConfig("/ws").url
    except ConfigError as error:
        with pytest.raises(ConfigError) as caught:
            config.checked_url("/ws")
        assert str(caught.value) == str(error)
    else:
        assert config.checked_url("/ws") == expected


def test_functions_of_a_blocking_client_may_block(peers: Peers) -> None:
    """They are asked at every attempt, async ones too; natively none runs in the thread that waits for the client."""
    circle = loop.run(peers.start("circle"))
    asked: list[int] = []

    def url() -> str:
        asked.append(threading.get_ident())
        return f"{circle.url}?token={len(asked)}"

    async def async_url() -> str:
        return url()

    builder = CircleWsClientBuilder("wss://elsewhere.example/").with_keypair(KEY).with_reconnect(backoff=QUICK)
    for function in (url, async_url):
        with builder.with_url(function).with_subprotocols(list).build_sync() as it:
            assert it.call("echo", [1]) == 1
            loop.run(circle.ask("cut_all"))
            assert it.call("echo", [2], idempotent=True) == 2
    assert len(asked) == 4
    if sys.platform != "emscripten":
        assert threading.get_ident() not in asked
