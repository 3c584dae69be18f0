"""Error trackers record the local variables of every frame: there is no secret in ours, whatever goes wrong."""

import asyncio
import dataclasses
import json
import traceback
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

import circle_ws
from circle_ws import (
    AuthError,
    Challenge,
    CircleWsClientBuilder,
    CircleWsError,
    ClientConfig,
    ConfigError,
    ConnectionFailed,
    InvalidKey,
    KeyPair,
    ProtocolError,
    RpcError,
    SignerFailed,
)
from circle_ws.auth import (
    PROFILES,
    Profile,
    derive_public_key,
    format_public_key,
    parse_private_key,
    sign_message,
    verify_signature,
)
from circle_ws.auth.crypto_utils import recover_public_key
from circle_ws.auth.profiles import BOUND
from circle_ws.transport.memory import MemoryPeer, MemoryServer
from tests.support.clients import KEY, client
from tests.support.frames import recorded
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers
from tests.support.signers import Vault

NONCE = "nonce_1234567890_abcdef"
SIGNATURE = sign_message(KEY, NONCE)
SHORT = "n-1234:x"
OFFER = {"nonce": NONCE, "expires_at": 4102444800, "auth_profiles": list(BOUND)}
ECHO = f"got {NONCE}: {SIGNATURE[:64]} {SIGNATURE[64:]} {SIGNATURE.upper()}"
URL = "ws://localhost/"


def check(error: BaseException, *secrets: str) -> str:
    """Look for the secrets, whole and in parts, in all that a tracker would record; give that."""
    told = recorded(error)
    assert "circle_ws" not in type(error).__module__ or ": {" in told, "no frame of ours was looked at"
    for secret in secrets:
        for part in {secret, secret[:20], secret[-20:], repr(secret.encode())[2:-1]}:
            assert part.lower() not in told.lower(), f"{part} is in {told}"
    return told


# Keys.


@dataclasses.dataclass
class Keeping:
    """No signer, but made to be one: its `repr` shows all that it has."""

    key: str


MISTYPED: list[Any] = [
    KEY[:-1],
    KEY + "0",
    "z" + KEY[1:],
    f" 0x{KEY[:-2]} ",
    bytes.fromhex(KEY)[1:],
    bytearray.fromhex(KEY)[:-1],
    "my secret words, which are no key at all",
]
TAKES_A_KEY: dict[str, Callable[[Any], object]] = {
    "KeyPair": KeyPair,
    "from_hex": KeyPair.from_hex,
    "parse_private_key": parse_private_key,
    "derive_public_key": derive_public_key,
    "sign_message": lambda key: sign_message(key, NONCE),
    "with_keypair": CircleWsClientBuilder(URL).with_keypair,
    "connect": lambda key: circle_ws.connect(URL, private_key=key),
    "ClientConfig": lambda key: ClientConfig(URL, private_key=key),
    "by position": lambda key: ClientConfig(URL, key),
}


@pytest.mark.parametrize("key", MISTYPED, ids=range(len(MISTYPED)))
@pytest.mark.parametrize("name", TAKES_A_KEY)
def test_a_mistyped_key(name: str, key: Any) -> None:
    """Whatever function receives it, nothing of it is in the frames, nor in the message."""
    with pytest.raises(InvalidKey) as caught:
        TAKES_A_KEY[name](key)
    text = key if isinstance(key, str) else key.hex()
    check(caught.value, text.strip(), repr(bytes(key))[2:-1] if not isinstance(key, str) else text)


@pytest.mark.parametrize("name", TAKES_A_KEY)
def test_a_number_as_a_key(name: str) -> None:
    """What is of another type altogether is not shown either."""
    with pytest.raises(InvalidKey) as caught:
        TAKES_A_KEY[name](int(KEY, 16))
    check(caught.value, str(int(KEY, 16)), KEY)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: circle_ws.connect(URL, private_key=KEY, call_timeout=-1),
        lambda: circle_ws.connect(URL, private_key=KEY, timeout=1),  # type: ignore[call-arg]
        lambda: circle_ws.connect("http://localhost/", private_key=KEY),
        lambda: ClientConfig("ws://circle.example/", private_key=KEY),
        lambda: ClientConfig(URL, KEY, profile="nobody's"),
        lambda: ClientConfig(URL, KEY, signer=Vault()),
        lambda: CircleWsClientBuilder(URL).with_keypair(KEY).with_auth(profile="nobody's").build(),
        lambda: sign_message(KEY, NONCE, "nobody's"),
        lambda: verify_signature(derive_public_key(KEY), NONCE, SIGNATURE, "nobody's"),
    ],
    ids=range(9),
)
def test_a_good_key_beside_a_wrong_option(wrong: Callable[[], object]) -> None:
    """An error about something else does not carry the key along."""
    with pytest.raises(ConfigError) as caught:
        wrong()
    check(caught.value, KEY, NONCE, SIGNATURE)


GIVEN_AS_SIGNER: list[Any] = [KEY, bytes.fromhex(KEY), int(KEY, 16), [KEY], Keeping(KEY)]
TAKES_A_SIGNER: dict[str, Callable[[Any], object]] = {
    "connect": lambda signer: circle_ws.connect(URL, signer=signer),
    "with_signer": lambda signer: CircleWsClientBuilder(URL).with_signer(signer).build(),
    "ClientConfig": lambda signer: ClientConfig(URL, signer=signer),
    "by position": lambda signer: ClientConfig(URL, None, signer),
    "beside another": lambda signer: ClientConfig(URL, signer=signer, call_timeout=-1),
}


@pytest.mark.parametrize("signer", GIVEN_AS_SIGNER, ids=lambda signer: type(signer).__name__)
@pytest.mark.parametrize("name", TAKES_A_SIGNER)
def test_a_key_in_the_place_of_a_signer(name: str, signer: Any) -> None:
    """It is none, and is no more to be seen than in its own place; nor is the key in the `repr` of what has one."""
    with pytest.raises(ConfigError) as caught:
        TAKES_A_SIGNER[name](signer)
    check(caught.value, KEY, repr(bytes.fromhex(KEY)), str(int(KEY, 16)))


def test_a_keyword_that_does_not_exist() -> None:
    """Nor does the `TypeError` of Python's own."""
    with pytest.raises(TypeError) as caught:
        ClientConfig(URL, private_key=KEY, nonsense=1)  # type: ignore[call-arg]
    check(caught.value, KEY)


def test_a_private_key_in_the_place_of_a_public_one() -> None:
    """A mistake that is easily made."""
    with pytest.raises(InvalidKey) as caught:
        format_public_key(KEY, compressed=True)
    check(caught.value, KEY)


@pytest.mark.parametrize("signature", [SIGNATURE[:-2] + "ff", SIGNATURE[:-2], SIGNATURE[:64] + "f" * 64 + "1b"])
def test_a_signature_that_gives_no_key(signature: str) -> None:
    """As a wallet may hand one over."""
    with pytest.raises(ValueError, match="no public key") as caught:
        recover_public_key(NONCE, signature)
    check(caught.value, NONCE, signature[:128])


BROKEN: list[Profile] = [
    dataclasses.replace(PROFILES["eip191"], name="mine", digest=lambda message: message[:31]),
    dataclasses.replace(PROFILES["eip191"], name="mine", v_offset=255),
]


@pytest.mark.parametrize("profile", BROKEN, ids=["digest", "v"])
async def test_a_profile_that_cannot_be_signed(peers: Peers, profile: Profile) -> None:
    """A user's own profile that is wrong is told before the key is used."""
    with pytest.raises(ConfigError, match="mine") as caught:
        sign_message(KEY, NONCE, profile)
    check(caught.value, KEY, NONCE)
    peer = await peers.start("scripted", answers={"fetch_nonce": {"result": NONCE}})
    it = client(peer.url, profile=profile)
    failure = await later(it.connect())
    assert isinstance(failure, SignerFailed)
    check(failure, KEY, NONCE)


# Signing in.


async def failed(peers: Peers, answers: dict[str, Any], **options: Any) -> CircleWsError:
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url, **{"backoff": None, "open_timeout": 2, **options})
    failure = await later(it.connect())
    assert isinstance(failure, CircleWsError)
    assert it.failure is failure
    await it.close()
    return failure


def told_no(code: int) -> dict[str, Any]:
    return {"error": {"code": code, "message": ECHO, "data": {ECHO: [ECHO], "bytes": list(SIGNATURE.encode())}}}


REFUSALS: list[Any] = [
    {"result": False},
    {"result": ECHO},
    {"result": {"authenticated": ECHO, ECHO: 1}},
    *(told_no(code) for code in (-32000, -32001, -32002, -32601, -32602, -32603)),
    {"raw": f'{{"jsonrpc":"2.0","id":$id,"result":"{ECHO}"'},
    {"raw": f'{{"jsonrpc":"2.0","id":$id,"result":1,"error":"{ECHO}"}}'},
    {"raw": f'{{"jsonrpc":"2.0","id":$id,"error":{{"code":"{ECHO}","message":"{ECHO}"}}}}'},
    {"raw": ECHO},
    {"close": 1011, "reason": SIGNATURE[:100]},
    {"close": 4401, "reason": NONCE},
    None,
]


@pytest.mark.parametrize("answer", REFUSALS, ids=range(len(REFUSALS)))
@pytest.mark.parametrize("when", ["first", "renewal"])
async def test_a_sign_in_that_is_refused(peers: Peers, answer: Any, when: str) -> None:
    """Whatever the circle answers, on the first connect and on a renewal, for all who wait."""
    late = when == "renewal"
    answers = {
        "fetch_nonce": {"result": NONCE},
        "authenticate": [{"result": True}, answer, answer] if late else [answer, answer],
        "f": [told_no(-32001)],
    }
    if not late:
        check(await failed(peers, answers), KEY, NONCE, SIGNATURE)
        return
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url, backoff=None, open_timeout=2)
    await it.connect()
    unanswered = later(it.call("silent"))
    failure = await later(it.call("f"))
    for one in (failure, await unanswered, it.failure):
        assert isinstance(one, CircleWsError)
        check(one, KEY, NONCE, SIGNATURE)
    await it.close()


@pytest.mark.parametrize("nonce", [f"{NONCE}\n", f"{NONCE}.{NONCE}", {"nonce": f"{{{NONCE}}}"}, [NONCE], {NONCE: 1}])
async def test_a_nonce_that_is_not_signed(peers: Peers, nonce: Any) -> None:
    """It may be a login elsewhere."""
    check(await failed(peers, {"fetch_nonce": {"result": nonce}}), NONCE, KEY)


@pytest.mark.parametrize("answer", [told_no(-32002), told_no(-32602), {"result": False}, {"result": ECHO}, None])
@pytest.mark.parametrize("policy", ["prefer-bound", "require-bound"])
async def test_a_bound_sign_in_that_is_refused(peers: Peers, answer: Any, policy: str) -> None:
    """The statement, the client's own nonce and the proof are as secret."""
    vault = Vault()
    answers = {"fetch_nonce": {"result": OFFER}, "authenticate": answer}
    failure = await failed(peers, answers, key=None, signer=vault, policy=policy)
    client_nonce = vault.asked[0].statement.decode().split("client_nonce=")[1][:32]
    signature = sign_message(KEY, vault.asked[0].statement, "circle-bound-v1")
    check(failure, NONCE, client_nonce, signature)


async def test_an_echo_by_the_client_nonce(peers: Peers) -> None:
    """The client's own nonce is taken out of what the circle says, too."""
    echo = '{"jsonrpc":"2.0","id":$id,"error":{"code":-32000,"message":"said $echo","data":"$echo"}}'
    vault = Vault()
    peer = await peers.start("scripted", answers={"fetch_nonce": {"result": OFFER}, "authenticate": {"raw": echo}})
    it = client(peer.url, key=None, signer=vault, backoff=None)
    failure = await later(it.connect())
    assert isinstance(failure, AuthError)
    client_nonce = vault.asked[0].statement.decode().split("client_nonce=")[1][:32]
    assert "said {" in check(failure, NONCE, client_nonce)


async def test_a_reply_that_is_too_large(peers: Peers) -> None:
    """The cause names the option that is to be raised, and shows nothing of the reply, which may echo a secret."""
    # As short as a nonce may be; the watch for secrets would not let one of them into an error of a transport.
    answers = {"fetch_nonce": {"result": NONCE}, "authenticate": {"result": "an echo " + "of it " * 500}}
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url, backoff=None, max_message_bytes=2000)
    told: list[BaseException] = []
    it.on_protocol_error(told.append)
    failure = await later(it.connect())
    assert isinstance(failure, ConnectionFailed)
    assert isinstance(failure.__cause__, CircleWsError)
    assert len(told) == 1
    for one in (failure, failure.__cause__, *told):
        assert "over max_message_bytes (2000)" in str(one)
        assert "raise it with with_limits()" in str(one)
        assert "an echo" not in recorded(one)
    await it.close()


async def test_a_request_that_is_too_large(peers: Peers) -> None:
    """An error of our own about what was to be sent does not hold it."""
    failure = await failed(peers, {"fetch_nonce": {"result": NONCE}}, max_request_bytes=250)
    assert "max_request_bytes" in str(failure)
    check(failure, NONCE, SIGNATURE)


@pytest.mark.parametrize("levels", [100, 505])
@pytest.mark.parametrize("kind", ["list", "dict"])
async def test_a_refusal_that_is_nested_deep(peers: Peers, kind: str, levels: int) -> None:
    """What lies deeper than anybody reads is left out, with what it repeats; it uses no stack up."""
    begin, end = ("[", "]") if kind == "list" else ('{"a":', "}")
    data = f'{begin * levels}"{ECHO}"{end * levels}'
    raw = f'{{"jsonrpc":"2.0","id":$id,"error":{{"code":-32000,"message":"deep","data":{data}}}}}'
    failure = await failed(peers, {"fetch_nonce": {"result": NONCE}, "authenticate": {"raw": raw}})
    assert type(failure) is AuthError
    assert isinstance(failure.__cause__, RpcError)
    assert "<hidden>" in check(failure, NONCE, SIGNATURE)


SHORT_NONCE = "k7q2-90ab"
PIECES = [sign_message(KEY, SHORT_NONCE)[start : start + 15] for start in range(0, 75, 15)]


@pytest.mark.parametrize("answer", ["close", "error"])
async def test_a_short_nonce_and_a_signature_in_pieces(peers: Peers, answer: str) -> None:
    """What is too short to be taken for a secret by itself is known to be one."""
    words = f"no: {SHORT_NONCE} s={PIECES[0][:10]} {' '.join(PIECES)}"
    said = {"close": {"close": 1008, "reason": words}, "error": {"error": {"code": -32000, "message": words}}}
    failure = await failed(peers, {"fetch_nonce": {"result": SHORT_NONCE}, "authenticate": said[answer]})
    assert "no: <hidden>" in str(failure.__cause__)
    told = recorded(failure)
    for secret in (SHORT_NONCE, PIECES[0][:10], *PIECES):
        assert secret not in told


@pytest.mark.parametrize("number", [90417253, 90417253.5])
async def test_a_nonce_as_a_number(peers: Peers, number: float) -> None:
    """A circle may repeat it so in the data of its error."""
    no = {"error": {"code": -32000, "message": "no", "data": {"n": number, "codes": [7, 404]}}}
    failure = await failed(peers, {"fetch_nonce": {"result": "90417253"}, "authenticate": no})
    assert isinstance(failure.__cause__, RpcError)
    assert failure.__cause__.data == {"n": "<hidden>", "codes": [7, 404]}


async def test_a_close_while_the_signer_thinks(peers: Peers) -> None:
    """The nonce is secret from when it came."""
    at_the_circle: list[MemoryPeer] = []

    async def circle(peer: MemoryPeer) -> None:
        at_the_circle.append(peer)
        async for text in peer:
            peer.send(json.dumps({"jsonrpc": "2.0", "id": json.loads(text)["id"], "result": SHORT_NONCE}))

    async def sign() -> str:
        at_the_circle[0].close(1011, f"no: {SHORT_NONCE}")
        await asyncio.Event().wait()
        return ""

    it = client(URL, key=None, signer=Odd(lambda _: sign()), transport=MemoryServer(circle), backoff=None)
    failure = await later(it.connect())
    assert isinstance(failure, ConnectionFailed)
    assert "no: <hidden>" in str(failure.__cause__)
    assert SHORT_NONCE not in recorded(failure)
    await it.close()


class Odd(Vault):
    """Gives what a test says instead of a signature."""

    def __init__(self, answer: Callable[[Challenge], Any]) -> None:
        super().__init__("eip191")
        self.answer = answer

    async def sign(self, challenge: Challenge) -> str:
        answer = self.answer(challenge)
        return await answer if asyncio.iscoroutine(answer) else answer  # type: ignore[no-any-return]


def _refuse(_: Challenge) -> str:
    raise PermissionError("the person refused")


@pytest.mark.parametrize(
    "answer",
    [
        _refuse,
        lambda _: SIGNATURE[:-2],
        lambda _: f"sig:{SIGNATURE}",
        lambda _: SIGNATURE.encode(),
        lambda _: [SIGNATURE],
        lambda _: asyncio.sleep(60, SIGNATURE),
    ],
    ids=["refuses", "short", "text", "bytes", "list", "late"],
)
async def test_a_signer_that_fails(peers: Peers, answer: Any) -> None:
    """What a signer gives is as secret where it is no good."""
    options = {"key": None, "signer": Odd(answer), "sign_timeout": 0.2}
    failure = await failed(peers, {"fetch_nonce": {"result": NONCE}}, **options)
    assert isinstance(failure, SignerFailed)
    check(failure, NONCE, SIGNATURE)


async def test_a_signature_that_comes_too_late() -> None:
    """The connection is lost in the turn in which the signer answers: the task with its answer is in the frame."""
    at_the_circle: list[MemoryPeer] = []

    async def circle(peer: MemoryPeer) -> None:
        at_the_circle.append(peer)
        async for text in peer:
            peer.send(json.dumps({"jsonrpc": "2.0", "id": json.loads(text)["id"], "result": NONCE}))

    def sign(_: Challenge) -> str:
        at_the_circle[0].close(1011)
        return SIGNATURE

    it = client("ws://localhost/", key=None, signer=Odd(sign), transport=MemoryServer(circle), backoff=None)
    # What is raised to a caller has the caller's frames alone; what is kept has those of the sign-in.
    it.start()
    await eventually(lambda: it.failure is not None)
    failure = it.failure
    assert isinstance(failure, ConnectionFailed)
    assert failure.phase == "sign"
    # The task's own words show the beginning of its result.
    assert "_answered" in check(failure, NONCE, SIGNATURE, SIGNATURE[:10])
    await it.close()


async def test_what_is_told_of_a_reconnect(peers: Peers) -> None:
    """The causes of changes of status, and what breaks the protocol meanwhile."""
    answers = {
        "fetch_nonce": {"result": NONCE},
        "authenticate": [
            {"result": True},
            told_no(-32603),
            {"raw": ECHO},
            {"close": 1011, "reason": SIGNATURE[:100]},
            {"result": False},
            {"result": True},
        ],
    }
    peer = await peers.start("scripted", answers=answers)
    told: list[BaseException] = []
    it = client(peer.url, open_timeout=2)
    it.on_status(lambda change: None if change.cause is None else told.append(change.cause))
    it.on_protocol_error(told.append)
    await it.connect()
    await peer.ask("cut")
    await eventually(lambda: it.stats.connects == 2)
    await it.close()
    assert len(told) >= 5
    for one in told:
        for secret in (KEY, NONCE, SIGNATURE[:20], SIGNATURE[64:84]):
            assert secret.lower() not in recorded(one).lower()


def test_the_look_itself() -> None:
    """It sees a variable of a frame of ours, so its silence means something."""

    def ours() -> None:
        held = NONCE
        raise ProtocolError(f"of {len(held)}")

    namespace = {**globals(), "__name__": "circle_ws.sample"}
    with pytest.raises(ProtocolError) as caught:
        FunctionType(ours.__code__, namespace)()
    assert NONCE in recorded(caught.value)
    assert NONCE in "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
