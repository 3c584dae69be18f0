"""The reference circle, spoken to by hand: nonces, signatures, what is answered before the sign-in, and its end."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from circle_ws.auth import derive_public_key, sign_message
from circle_ws.errors import ConfigError, InvalidKey, RpcError
from circle_ws.server import CircleServer, Connection
from circle_ws.server.rules import Rules
from circle_ws.server.sign_in import MAX_KEYS, IssuedNonce, Nonces, Proof
from tests.native.by_hand import ask, sign_in
from tests.support.clients import KEY, OTHER_KEY
from tests.support.outcomes import eventually

PUBLIC = derive_public_key(KEY)
COMPRESSED = derive_public_key(KEY, compressed=True)


@pytest.fixture
async def circle() -> AsyncGenerator[CircleServer]:
    async with CircleServer() as server:
        yield server


async def test_nothing_before_the_sign_in(circle: CircleServer) -> None:
    """Every method but the sign-in and the ping answers -32001, whether it exists or not."""
    async with connect(circle.url) as socket:
        for method in ("whoami", "no_such_method"):
            assert (await ask(socket, method))["error"]["code"] == -32001
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"
        assert await sign_in(socket) is True
        assert (await ask(socket, "whoami"))["result"] == {"pubkey": derive_public_key(KEY, compressed=True)}
        assert (await ask(socket, "no_such_method"))["error"]["code"] == -32601


async def test_a_nonce_is_good_once_for_one_key_on_one_connection(circle: CircleServer) -> None:
    """A nonce that was used, of another key, or of another connection is refused."""
    async with connect(circle.url) as socket, connect(circle.url) as elsewhere:
        nonce = (await ask(socket, "fetch_nonce", {"pubkey": PUBLIC}))["result"]
        signature = sign_message(KEY, nonce)
        assert (await ask(elsewhere, "authenticate", [PUBLIC, signature]))["result"] is False
        other = derive_public_key(OTHER_KEY)
        assert (await ask(socket, "authenticate", [other, sign_message(OTHER_KEY, nonce)]))["result"] is False
        assert (await ask(socket, "authenticate", [PUBLIC, signature]))["result"] is True
        assert (await ask(socket, "authenticate", [PUBLIC, signature]))["result"] is False


async def test_a_wrong_signature_voids_the_nonce(circle: CircleServer) -> None:
    """There is one try for each nonce."""
    async with connect(circle.url) as socket:
        nonce = (await ask(socket, "fetch_nonce", [PUBLIC]))["result"]
        wrong = sign_message(OTHER_KEY, nonce)
        assert (await ask(socket, "authenticate", [PUBLIC, wrong]))["result"] is False
        assert (await ask(socket, "authenticate", [PUBLIC, sign_message(KEY, nonce)]))["result"] is False


def test_nonces_live_for_their_time_and_are_bounded() -> None:
    """After its lifetime a nonce is void; on one connection only the latest few keys have one."""
    nonces = Nonces(Rules("hero-0.2", ("eip191",), None, None, nonce_lifetime=300))

    def proof(nonce: IssuedNonce, public_key: str = PUBLIC) -> Proof:
        return Proof(public_key, sign_message(KEY, nonce.value))

    nonce = nonces.issue(PUBLIC, now=1000)
    assert nonce.expires_at == 1300
    assert nonces.redeem(proof(nonce), now=1300) is None
    nonce = nonces.issue(PUBLIC, now=1000)
    assert nonces.redeem(proof(nonce, COMPRESSED), now=1299.9) == COMPRESSED
    nonce = nonces.issue(PUBLIC, now=0)
    for number in range(1, MAX_KEYS + 1):
        nonces.issue(derive_public_key(f"{number:064x}"), now=0)
    assert nonces.redeem(proof(nonce), now=1) is None
    values = {nonces.issue(PUBLIC, now=0).value for _ in range(100)}
    assert len(values) == 100
    assert nonces.redeem(Proof("no key", "no signature"), now=1) is None


def test_nothing_given_out_or_proved_is_printed() -> None:
    """Neither a nonce that was issued nor a proof shows its secrets."""
    nonces = Nonces(Rules("hero-0.2", ("eip191",), None, None, nonce_lifetime=300))
    nonce = nonces.issue(PUBLIC, now=1000)
    proof = Proof(PUBLIC, sign_message(KEY, nonce.value), "circle-bound-v1", "ab" * 16, 1300)
    assert nonce.value not in f"{nonce!r} {nonces!r}"
    assert proof.signature not in f"{proof!r}"


async def test_the_circles_dialect() -> None:
    """circles-1.0: the nonce with its expiry, nested credentials, -32002 for wrong ones."""
    async with CircleServer(dialect="circles-1.0") as server, connect(server.url) as socket:
        answer = (await ask(socket, "fetch_nonce", [PUBLIC]))["result"]
        assert set(answer) == {"nonce", "expires_at"}
        assert type(answer["expires_at"]) is int
        flat = {"pubkey": PUBLIC, "signature": sign_message(KEY, answer["nonce"])}
        assert (await ask(socket, "authenticate", flat))["error"]["code"] == -32602
        assert (await ask(socket, "authenticate", {"credentials": {"pubkey": PUBLIC}}))["error"]["code"] == -32602
        assert (await ask(socket, "authenticate", [flat]))["result"] == {"authenticated": True}
        assert (await ask(socket, "authenticate", [flat]))["error"]["code"] == -32002


@pytest.mark.parametrize("params", [["no key"], [5], [], [PUBLIC, 1], {"key": PUBLIC}])
async def test_bad_params_of_the_sign_in(circle: CircleServer, params: Any) -> None:
    """What is no key is -32602, not a fault."""
    async with connect(circle.url) as socket:
        assert (await ask(socket, "fetch_nonce", params))["error"]["code"] == -32602
        assert (await ask(socket, "authenticate", {"pubkey": 1, "signature": 2}))["error"]["code"] == -32602


async def test_only_admitted_keys() -> None:
    """With `keys` a good signature of another key is refused."""
    async with CircleServer(keys=[PUBLIC]) as server, connect(server.url) as socket:
        assert await sign_in(socket, OTHER_KEY) is False
        assert await sign_in(socket, KEY) is True


async def test_only_accepted_profiles() -> None:
    """A signature under a profile that the circle does not accept is refused."""
    async with CircleServer(profiles=["sha256-compact"]) as server, connect(server.url) as socket:
        assert await sign_in(socket) is False
        nonce = (await ask(socket, "fetch_nonce", [PUBLIC]))["result"]
        compact = sign_message(KEY, nonce, "sha256-compact")
        assert (await ask(socket, "authenticate", [PUBLIC, compact]))["result"] is True


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no JSON", -32700),
        ('{"jsonrpc":"2.0","id":1,"method":"f"', -32700),
        ("[]", -32600),
        ("1", -32600),
        ('{"id":1,"method":"f"}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":1}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":"f","params":"text"}', -32600),
    ],
)
async def test_what_is_no_request_is_answered_with_an_error(circle: CircleServer, text: str, code: int) -> None:
    """A broken message is answered with id null, and the connection goes on."""
    async with connect(circle.url) as socket:
        await socket.send(text)
        reply = json.loads(await socket.recv())
        assert (reply["id"], reply["error"]["code"]) == (None, code)
        await socket.send(text.encode())
        assert json.loads(await socket.recv())["error"]["code"] == code
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"


async def test_notifications_and_replies_are_not_answered(circle: CircleServer) -> None:
    """Only requests get replies."""
    async with connect(circle.url) as socket:
        await socket.send('{"jsonrpc":"2.0","method":"no_such_method"}')
        await socket.send('{"jsonrpc":"2.0","id":7,"result":1}')
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"


async def test_methods_take_params_and_their_connection(circle: CircleServer) -> None:
    """By position, by name, with defaults, the connection anywhere; an `RpcError` is the answer, a fault -32603."""

    @circle.method()
    async def first(connection: Connection, a: int, b: int = 2) -> list[Any]:
        return [connection.public_key is not None, a, b]

    @circle.method("second")
    def named_otherwise(a: int, connection: Connection, *rest: int) -> list[Any]:
        return [connection.public_key is not None, a, *rest]

    @circle.method()
    def own_error() -> None:
        raise RpcError(77, "words", {"more": [1]})

    @circle.method()
    def unplain() -> Any:
        return {1: 2}

    async with connect(circle.url) as socket:
        await sign_in(socket)
        assert (await ask(socket, "first", [1]))["result"] == [True, 1, 2]
        assert (await ask(socket, "first", {"b": 5, "a": 4}))["result"] == [True, 4, 5]
        assert (await ask(socket, "second", [1, 2, 3]))["result"] == [True, 1, 2, 3]
        assert (await ask(socket, "first", {"connection": 1, "a": 1}))["error"]["code"] == -32602
        assert (await ask(socket, "first", [1, 2, 3]))["error"]["code"] == -32602
        assert (await ask(socket, "own_error"))["error"] == {"code": 77, "message": "words", "data": {"more": [1]}}
        assert (await ask(socket, "unplain"))["error"]["code"] == -32603


async def test_a_slow_method_blocks_nothing(circle: CircleServer) -> None:
    """While one method waits others are answered; when the client is gone its methods are cancelled."""
    ended: list[str] = []

    @circle.method()
    async def hold() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("hold")

    async with connect(circle.url) as socket:
        await sign_in(socket)
        await socket.send('{"jsonrpc":"2.0","id":1,"method":"hold"}')
        assert (await ask(socket, "rpc.ping"))["result"] == "pong"
        assert ended == []
    await eventually(lambda: ended == ["hold"])


async def test_publish_reaches_who_has_signed_in(circle: CircleServer) -> None:
    """Every client that signed in gets it, no other, and the number is returned."""
    async with connect(circle.url) as one, connect(circle.url) as two, connect(circle.url) as stranger:
        await sign_in(one)
        await sign_in(two, OTHER_KEY)
        assert circle.publish("news", {"n": 1}) == 2
        for socket in (one, two):
            assert json.loads(await socket.recv()) == {"jsonrpc": "2.0", "method": "news", "params": {"n": 1}}
        assert (await ask(stranger, "rpc.ping"))["result"] == "pong"


async def test_a_stopped_circle_says_good_bye_and_starts_again(circle: CircleServer) -> None:
    """Stopping closes with 1001 and cancels what runs; killing cuts off; both may be followed by a start."""
    port = circle.port
    async with connect(circle.url) as socket:
        await circle.stop()
        await circle.stop()
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001
    await circle.start()
    assert circle.port == port
    async with connect(circle.url) as socket:
        await circle.kill()
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is None
    assert circle.connections == []


async def test_a_connection_that_comes_at_the_end_is_ended_too() -> None:
    """However far it has come when the circle is killed: the client hears of the end, and nothing is left open."""
    for steps in range(8):
        circle = CircleServer()
        await circle.start()
        dialling = asyncio.create_task(asyncio.open_connection("127.0.0.1", circle.port))
        for _ in range(steps):
            await asyncio.sleep(0)
        await circle.kill()
        with suppress(OSError):
            reader, writer = await dialling
            assert await reader.read() == b""
            writer.close()


async def test_a_message_over_the_limit_closes_with_1009() -> None:
    """What is larger than `max_message_bytes` is not read."""
    async with CircleServer(max_message_bytes=1000) as server, connect(server.url) as socket:
        await socket.send("x" * 1001)
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


async def test_only_allowed_origins() -> None:
    """A page of another origin is refused with 403; a program without the header is accepted when None is listed."""
    async with CircleServer(origins=["https://good.example", None]) as server:
        async with connect(server.url, origin="https://good.example"):  # type: ignore[arg-type]
            pass
        async with connect(server.url):
            pass
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.url, origin="https://evil.example")  # type: ignore[arg-type]
    assert caught.value.response.status_code == 403


async def test_bad_options_are_refused() -> None:
    """A wrong dialect, profile or key is said before anything listens; serving needs a start."""
    wrong: Any = "klingon"
    with pytest.raises(ConfigError, match="dialect"):
        CircleServer(dialect=wrong)
    with pytest.raises(ConfigError, match="profile"):
        CircleServer(profiles=[wrong])
    with pytest.raises(ConfigError, match="public_url") as caught:
        CircleServer(public_url="https://circle.example/")
    assert caught.value.option == "public_url"
    with pytest.raises(InvalidKey):
        CircleServer(keys=["00"])
    for url in ("https://circle.example/", "wss://127.1/", "wss://me@circle.example/"):
        with pytest.raises(ConfigError, match="url"):
            CircleServer(public_url=url)
    with pytest.raises(RuntimeError, match="start"):
        await CircleServer().serve_forever()


async def test_it_serves_until_it_is_cancelled() -> None:
    async with CircleServer() as server:
        serving = asyncio.create_task(server.serve_forever())
        async with connect(server.url) as socket:
            assert (await ask(socket, "rpc.ping"))["result"] == "pong"
        assert not serving.done()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving


async def test_an_ipv6_circle_has_a_good_url() -> None:
    """The address stands in brackets."""
    async with CircleServer("::1") as server, connect(server.url):
        assert server.url == f"ws://[::1]:{server.port}/"
