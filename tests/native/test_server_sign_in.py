"""Who may sign in, for how long a client may try, what that tells to strangers, and who a method's caller is."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from circle_ws.auth import crypto_utils, derive_public_key, sign_message
from circle_ws.errors import ConfigError
from circle_ws.server import CircleServer, Connection
from circle_ws.server.sign_in import MAX_FAILURES
from tests.native.by_hand import ask, request, sign_in, signed_in
from tests.support.clients import KEY, OTHER_KEY
from tests.support.limits import DIALLED
from tests.support.outcomes import eventually

PUBLIC = derive_public_key(KEY)
COMPRESSED = derive_public_key(KEY, compressed=True)
OTHER = derive_public_key(OTHER_KEY, compressed=True)


async def code_of_end(socket: ClientConnection) -> int | None:
    """Read until the connection is closed; give the code."""
    while True:
        try:
            await socket.recv()
        except ConnectionClosed as error:
            return None if error.rcvd is None else error.rcvd.code


# Who calls.


async def test_a_running_method_keeps_its_caller() -> None:
    """A client that signs in with another key meanwhile is another caller, and is pushed to as that key."""
    async with CircleServer() as server:
        go = asyncio.Event()
        seen: list[Connection] = []

        @server.method()
        async def hold(connection: Connection) -> list[str | None]:
            seen.append(connection)
            before = connection.public_key
            await go.wait()
            return [before, connection.public_key]

        async with signed_in(server) as socket:
            await socket.send(json.dumps(request("hold", None, 1)))
            await eventually(lambda: seen)
            assert await sign_in(socket, OTHER_KEY) is True
            assert (await ask(socket, "whoami"))["result"] == {"pubkey": OTHER}
            assert [one.public_key for one in server.connections] == [OTHER]
            go.set()
            assert json.loads(await socket.recv())["result"] == [COMPRESSED, COMPRESSED]
            assert server.publish("news", to=PUBLIC) == 0
            seen[0].notify("still", [1])
            assert json.loads(await socket.recv())["method"] == "still"


async def test_the_same_key_stays_the_same_connection() -> None:
    """A renewal changes nothing for who holds the connection."""
    async with CircleServer() as server, connect(server.url) as socket:
        await ask(socket, "rpc.ping")
        [first] = server.connections
        assert first.public_key is None
        for _ in range(2):
            assert await sign_in(socket) is True
            assert server.connections == [first]
            assert first.public_key == COMPRESSED


# Who is admitted.


async def test_admit_is_asked_at_each_sign_in() -> None:
    """What it says holds for that sign-in; who is refused gets the answer of a wrong signature."""
    members = {COMPRESSED}
    asked: list[str] = []

    async def admit(public_key: str) -> bool:
        await asyncio.sleep(0)
        asked.append(public_key)
        return public_key in members

    for dialect in ("hero-0.2", "baobab"):
        async with CircleServer(admit=admit, dialect=dialect) as server:
            for key, good in ((KEY, True), (OTHER_KEY, False)):
                async with connect(server.url) as socket:
                    public = derive_public_key(key)
                    nonce = (await ask(socket, "fetch_nonce", [public]))["result"]
                    proof = [public, sign_message(key, nonce), *([nonce] if dialect == "baobab" else [])]
                    assert (await ask(socket, "authenticate", proof))["result"] is good
                    assert ("result" in await ask(socket, "whoami")) is good
    assert asked == [COMPRESSED, OTHER] * 2
    async with CircleServer(admit=admit) as server, connect(server.url) as socket:
        assert await sign_in(socket, OTHER_KEY) is False
        members.add(OTHER)
        assert await sign_in(socket, OTHER_KEY) is True


class Book:
    """Knows one key."""

    async def __call__(self, public_key: str) -> bool:
        return public_key == COMPRESSED

    async def admits(self, answer: bool, public_key: str) -> bool:
        return answer and public_key == COMPRESSED


@pytest.mark.parametrize("admit", [5, True, "keys", lambda _: True, Book, str.isalnum], ids=range(6))
def test_admit_is_an_async_function(admit: Any) -> None:
    """Anything else is told at once, and not at the first sign-in."""
    with pytest.raises(ConfigError, match="admit must be an async function") as caught:
        CircleServer(admit=admit)
    assert caught.value.option == "admit"


@pytest.mark.parametrize("admit", [Book(), partial(Book().admits, True)])
async def test_admit_may_be_whatever_is_as_good_as_one(admit: Any) -> None:
    """An object that is called asynchronously, a part of an async method."""
    async with CircleServer(admit=admit) as server, connect(server.url) as socket:
        assert (await sign_in(socket)) is True


async def test_admit_is_not_asked_for_wrong_signatures() -> None:
    """Only who proves the key is asked about."""

    async def admit(_: str) -> bool:
        raise AssertionError

    async with CircleServer(admit=admit) as server, connect(server.url) as socket:
        nonce = (await ask(socket, "fetch_nonce", [PUBLIC]))["result"]
        assert (await ask(socket, "authenticate", [PUBLIC, sign_message(OTHER_KEY, nonce)]))["result"] is False


async def test_keys_and_admit_must_both_agree() -> None:
    """Neither of them alone lets a key in."""

    async def admit(public_key: str) -> bool:
        return public_key == COMPRESSED

    async with CircleServer(keys=[PUBLIC, OTHER], admit=admit) as server, connect(server.url) as socket:
        assert await sign_in(socket, OTHER_KEY) is False
        assert await sign_in(socket) is True
    async with CircleServer(keys=[OTHER], admit=admit) as server, connect(server.url) as socket:
        assert await sign_in(socket) is False


@pytest.mark.parametrize("answer", [1, None, "yes", OSError("the database is down")])
async def test_an_admit_that_fails_accepts_no_client(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is an internal error, which clients retry, and is logged; only True is yes."""

    async def admit(_: str) -> bool:
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    async with CircleServer(admit=admit) as server, connect(server.url) as socket:
        nonce = (await ask(socket, "fetch_nonce", [PUBLIC]))["result"]
        reply = await ask(socket, "authenticate", [PUBLIC, sign_message(KEY, nonce)])
        assert reply["error"] == {"code": -32603, "message": "internal error"}
        assert (await ask(socket, "whoami"))["error"]["code"] == -32001
    assert "admit answers True or False" in caplog.text or "the database is down" in caplog.text


# What a stranger can find out.


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Count the signatures that are checked."""
    checked: list[str] = []
    verify = crypto_utils.verify_signature

    def verified(public_key: str, *rest: Any) -> bool:
        checked.append(public_key)
        return verify(public_key, *rest)

    with monkeypatch.context() as patched:
        patched.setattr("circle_ws.server.sign_in.verify_signature", verified)
        yield checked


@pytest.mark.parametrize(
    "known", [{"keys": [PUBLIC]}, {"signed_bound": {COMPRESSED}, "public_url": "wss://c.example/"}]
)
async def test_whether_a_key_is_known_does_not_show(monkeypatch: pytest.MonkeyPatch, known: dict[str, Any]) -> None:
    """Without a good signature a known key costs as many checks as another, and gets the same answer."""
    async with CircleServer(**known) as server, connect(server.url) as socket:
        found = []
        for key in (KEY, OTHER_KEY):
            public = derive_public_key(key)
            await ask(socket, "fetch_nonce", [public])
            with counted(monkeypatch) as checked:
                reply = await ask(socket, "authenticate", [public, sign_message(key, "another nonce")])
            found.append((len(checked), {name: reply[name] for name in reply if name != "id"}))
        assert found[0] == found[1]
        assert found[0][0] == 4


# How long, and how often.


async def test_who_does_not_sign_in_is_closed() -> None:
    """After `sign_in_timeout`, with 1008 and the reason, also when it asks all the time; who signed in stays."""
    async with CircleServer(sign_in_timeout=DIALLED) as server, signed_in(server) as member:
        async with connect(server.url) as stranger:
            await ask(stranger, "fetch_nonce", [PUBLIC])
            with pytest.raises(ConnectionClosed, match="not signed in within 2 s") as caught:
                while True:
                    await ask(stranger, "rpc.ping")
                    await asyncio.sleep(0.01)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1008
        await asyncio.sleep(0.3)
        assert (await ask(member, "rpc.ping"))["result"] == "pong"


async def test_without_a_limit_a_stranger_may_stay() -> None:
    """With None nothing is closed."""
    async with CircleServer(sign_in_timeout=None) as server, connect(server.url) as stranger:
        await asyncio.sleep(0.1)
        assert (await ask(stranger, "rpc.ping"))["result"] == "pong"


async def test_failed_sign_ins_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    """So many are answered; the next attempt ends the connection with 1008, which is no warning in the log."""
    async with CircleServer() as server, connect(server.url) as socket:
        for _ in range(MAX_FAILURES):
            await ask(socket, "fetch_nonce", [PUBLIC])
            assert (await ask(socket, "authenticate", [PUBLIC, "00" * 65]))["result"] is False
        await socket.send(json.dumps(request("fetch_nonce", [PUBLIC])))
        assert await code_of_end(socket) == 1008
    assert [it for it in caplog.records if it.levelno > logging.INFO] == []


async def test_failures_that_are_admits_count_too() -> None:
    """Keys that are not admitted cost a question each."""

    async def admit(_: str) -> bool:
        return False

    async with CircleServer(admit=admit) as server, connect(server.url) as socket:
        for _ in range(MAX_FAILURES):
            assert await sign_in(socket) is False
        await socket.send(json.dumps(request("fetch_nonce", [PUBLIC])))
        assert await code_of_end(socket) == 1008


@pytest.mark.parametrize("raises", [False, True])
async def test_sign_ins_that_are_not_decided_count(raises: bool) -> None:
    """Who sends many at once has `admit` asked no more often, and what it raises is no way round."""
    asked = 0

    async def admit(_: str) -> bool:
        nonlocal asked
        asked += 1
        if raises:
            raise OSError("no database")
        return not await asyncio.Event().wait()

    async with CircleServer(admit=admit, close_timeout=0.2) as server, connect(server.url) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            for number in range(10):
                await socket.send(json.dumps(request("fetch_nonce", [PUBLIC], number)))
                while (reply := json.loads(await socket.recv()))["id"] != number:
                    assert reply["error"]["code"] == -32603
                signature = sign_message(KEY, reply["result"])
                await socket.send(json.dumps(request("authenticate", [PUBLIC, signature], "sign-in")))
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        assert asked == MAX_FAILURES


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_wrong_time_is_refused(seconds: float) -> None:
    """It is told by name before anything listens."""
    with pytest.raises(ConfigError, match="sign_in_timeout") as caught:
        CircleServer(sign_in_timeout=seconds)
    assert caught.value.option == "sign_in_timeout"
