"""Signing in to circles that are honest, broken or hostile, in both runtimes."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from circle_ws import (
    AuthError,
    AuthRejected,
    Challenge,
    CircleWsError,
    ConnectionFailed,
    ConnectionStatus,
    InvalidNonce,
    KeyPair,
    OutcomeUnknown,
    SignerFailed,
    StatusChange,
)
from circle_ws.auth import PROFILES, derive_public_key, sign_message
from tests.support.clients import KEY, OTHER_KEY, client
from tests.support.limits import DIALLED
from tests.support.outcomes import eventually, later
from tests.support.peers import Peers, RemotePeer

NONCE = "nonce_1234567890_abcdef"
BARE = {"result": NONCE}
OBJECT = {"result": {"nonce": NONCE, "expires_at": 4102444800}}
GOOD: dict[str, Any] = {"fetch_nonce": BARE, "authenticate": {"result": True}}


def error(code: int, message: str = "no") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


async def requests(peer: RemotePeer) -> list[dict[str, Any]]:
    return [json.loads(text) for text in await peer.ask("received")]


async def refused(peer: RemotePeer, **options: Any) -> CircleWsError:
    """Return the error of connecting; a refused client is FAILED with it."""
    it = client(peer.url, **options)
    with pytest.raises(CircleWsError) as caught:
        await it.connect()
    assert it.status is ConnectionStatus.FAILED
    assert it.failure is caught.value
    await it.close()
    return caught.value


@pytest.mark.parametrize("profile", ["eip191", "sha256-compact"])
@pytest.mark.parametrize(("nonce", "nested"), [(BARE, False), (OBJECT, True)])
async def test_what_is_sent_is_what_wire_says(peers: Peers, profile: str, nonce: Any, nested: bool) -> None:
    """The bytes are the same in every runtime: key form, signature and the form of `authenticate`."""
    peer = await peers.start("scripted", answers={**GOOD, "fetch_nonce": nonce})
    async with client(peer.url, profile=profile) as it:
        assert it.is_connected()
    public_key = derive_public_key(KEY, compressed=PROFILES[profile].compressed)
    credentials = {"pubkey": public_key, "signature": sign_message(KEY, NONCE, profile)}
    first, second = await requests(peer)
    assert (first["method"], first["params"]) == ("fetch_nonce", {"pubkey": public_key})
    assert (second["method"], second["params"]) == (
        "authenticate",
        {"credentials": credentials} if nested else credentials,
    )


@pytest.mark.parametrize("nonce", [BARE, OBJECT])
async def test_invalid_params_get_the_same_signature_in_the_other_form(peers: Peers, nonce: Any) -> None:
    """-32602 is answered once, on the same connection, with the same signature."""
    peer = await peers.start(
        "scripted", answers={"fetch_nonce": nonce, "authenticate": [error(-32602), {"result": True}]}
    )
    async with client(peer.url) as it:
        assert it.is_connected()
    sent = await requests(peer)
    assert [request["method"] for request in sent] == ["fetch_nonce", "authenticate", "authenticate"]
    flat = [request["params"].get("credentials", request["params"]) for request in sent[1:]]
    assert flat[0] == flat[1]
    assert sent[1]["params"] != sent[2]["params"]
    assert await peer.ask("count") == 1


BAD_NONCES: list[Any] = [
    None,
    42,
    [],
    {},
    {"nonce": 5},
    "short",
    "x" * 257,
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.",
    '{"to":"0xabc","value":1}',
    "example.com wants you to sign in with your Ethereum account",
    "nonce_1234567890\n",
    "nonce_12345\u00007890",
    "nonce_１２３４５６７８",
]


@pytest.mark.parametrize("nonce", BAD_NONCES, ids=range(len(BAD_NONCES)))
async def test_a_nonce_outside_the_grammar_is_never_signed(peers: Peers, nonce: Any) -> None:
    """A hostile "nonce" reaches no signer; the circle gets nothing more, and there is no second attempt."""
    peer = await peers.start("scripted", answers={**GOOD, "fetch_nonce": {"result": nonce}})
    asked: list[Challenge] = []
    failure = await refused(peer, key=None, signer=Programmed(lambda challenge: asked.append(challenge)))
    assert isinstance(failure, InvalidNonce)
    assert failure.phase == "nonce"
    assert asked == []
    assert [request["method"] for request in await requests(peer)] == ["fetch_nonce"]


@pytest.mark.parametrize(
    ("step", "answer", "kind", "phase"),
    [
        ("authenticate", {"result": False}, AuthRejected, "authenticate"),
        ("authenticate", {"result": {"authenticated": False}}, AuthRejected, "authenticate"),
        ("authenticate", error(-32002), AuthRejected, "authenticate"),
        ("authenticate", error(-32001), AuthRejected, "authenticate"),
        ("authenticate", {"result": 1}, AuthError, "authenticate"),
        ("authenticate", {"result": "true"}, AuthError, "authenticate"),
        ("authenticate", {"result": None}, AuthError, "authenticate"),
        ("authenticate", {"result": {"authenticated": 1}}, AuthError, "authenticate"),
        ("authenticate", error(-32601), AuthError, "authenticate"),
        ("authenticate", error(-32603), ConnectionFailed, "authenticate"),
        ("authenticate", {"close": 1011}, ConnectionFailed, "authenticate"),
        ("authenticate", {"raw": '{"id":$id}'}, ConnectionFailed, "authenticate"),
        ("fetch_nonce", error(-32601), AuthError, "nonce"),
        ("fetch_nonce", error(-32002), AuthRejected, "nonce"),
        ("fetch_nonce", error(-32603), ConnectionFailed, "nonce"),
        ("fetch_nonce", {"close": 1011}, ConnectionFailed, "nonce"),
    ],
)
async def test_every_refusal_has_its_own_error(
    peers: Peers, step: str, answer: Any, kind: type[Exception], phase: str
) -> None:
    """What the circle answers decides the error, and the error names the step."""
    peer = await peers.start("scripted", answers={**GOOD, step: answer})
    failure: Any = await refused(peer)
    assert failure.phase == phase
    assert type(failure) is kind
    assert await peer.ask("count") == 1


@pytest.mark.parametrize(("step", "phase"), [("fetch_nonce", "nonce"), ("authenticate", "authenticate")])
async def test_a_silent_circle_costs_the_open_timeout(peers: Peers, step: str, phase: str) -> None:
    """A step that is never answered ends at `open_timeout`, and the error says which it was."""
    peer = await peers.start("scripted", answers={**GOOD, step: None})
    failure = await refused(peer, open_timeout=DIALLED)
    assert isinstance(failure, ConnectionFailed)
    assert failure.phase == phase
    assert "open_timeout" in str(failure)


async def test_a_server_that_is_no_circle_is_said_to_be_none(peers: Peers) -> None:
    """An echo server sends our own request back; that ends in words, not in a hang."""
    echo = await peers.start("echo")
    failure = await refused(echo, open_timeout=1)
    assert isinstance(failure, ConnectionFailed | AuthError)


async def test_nothing_of_the_users_leaves_before_the_sign_in(peers: Peers) -> None:
    """A call that is made while the client signs in waits for its end."""
    peer = await peers.start("scripted", answers={"fetch_nonce": None, "f": {"result": 1}})
    it = client(peer.url, open_timeout=DIALLED)
    connecting = later(it.connect())
    await asyncio.sleep(0)
    calling = later(it.call("f"))
    failure = await connecting
    assert await calling is failure
    assert [request["method"] for request in await requests(peer)] == ["fetch_nonce"]
    await it.close()


async def test_no_secret_is_in_a_log_or_an_exception(peers: Peers, caplog: pytest.LogCaptureFixture) -> None:
    """With everything logged at level DEBUG, and a circle that echoes what it got, no secret is to be read."""
    signature = sign_message(KEY, NONCE)
    echoing = error(-32000, f"bad signature {signature.upper()} of {NONCE}")
    peer = await peers.start("scripted", answers={**GOOD, "authenticate": echoing})
    with caplog.at_level(logging.DEBUG):
        failure = await refused(peer)
        good = await peers.start("scripted", answers=GOOD)
        async with client(good.url) as it:
            words = [repr(it), repr(it.status)]
    seen: BaseException | None = failure
    while seen is not None:
        words += [str(seen), repr(seen), repr(seen.__dict__)]
        seen = seen.__cause__ or seen.__context__
    # Natively the server runs in this process, and its library logs what it gets.
    words += [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    for secret in (KEY, signature, NONCE):
        assert not any(secret.lower() in text.lower() for text in words)


SIGNATURE = sign_message(KEY, NONCE)
ECHO = f"{NONCE} {SIGNATURE}"


@pytest.mark.parametrize(
    "answer",
    [
        {"close": 1011, "reason": f"no {NONCE}"},
        {"close": 1008, "reason": SIGNATURE[:120]},
        {"close": 4401, "reason": NONCE},
        {"raw": f'{{"jsonrpc":"2.0","id":$id,"result":"{ECHO}"'},
        {"raw": f'{{"jsonrpc":"2.0","id":$id,"result":1,"error":"{ECHO}"}}'},
        {"raw": f'{{"jsonrpc":"2.0","id":$id,"{ECHO}":true}}'},
        {"raw": f'{{"jsonrpc":"2.0","id":$id,"error":{{"code":"{ECHO}","message":"{ECHO}"}}}}'},
        {"raw": f'{{"jsonrpc":"2.0","id":"{ECHO}","result":true}}'},
        {"raw": ECHO},
        {"result": ECHO},
        {"result": {"authenticated": ECHO, ECHO: ECHO}},
        *(
            {"error": {"code": code, "message": ECHO.upper(), "data": [ECHO]}}
            for code in (-32000, -32001, -32002, -32601, -32602, -32603)
        ),
    ],
    ids=range(17),
)
@pytest.mark.parametrize("when", ["at first", "on a renewal"])
async def test_echoed_secrets_are_redacted(peers: Peers, answer: Any, when: str) -> None:
    """In whatever way a circle sends the nonce or the signature back, at any log level neither is to be read.

    The suite watches every test for it (`tests/support/redaction.py`); here there is something to be seen.
    """
    late = when == "on a renewal"
    answers = {
        "fetch_nonce": BARE,
        "authenticate": [{"result": True}, answer, answer] if late else [answer, answer],
        "f": [error(-32001), {"result": 1}],
    }
    peer = await peers.start("scripted", answers=answers)
    it = client(peer.url, open_timeout=2, backoff=None)
    failure: BaseException | None
    if late:
        await it.connect()
        unanswered = later(it.call("silent"))
        failure = await later(it.call("f"))
        assert isinstance(await unanswered, OutcomeUnknown)
    else:
        failure = await later(it.connect())
    assert isinstance(failure, CircleWsError)
    assert it.failure is failure
    await it.close()


class Programmed:
    """A signer that does what a test says."""

    profiles = frozenset({"eip191"})

    def __init__(self, sign: Callable[[Challenge], Any], public_key: str | None = None) -> None:
        self._sign = sign
        self._public_key = public_key or derive_public_key(KEY)

    async def public_key(self) -> str:
        return self._public_key

    async def sign(self, challenge: Challenge) -> str:
        answer = self._sign(challenge)
        return (await answer) if asyncio.iscoroutine(answer) else answer  # type: ignore[no-any-return]


async def test_a_signer_is_asked_once_for_each_sign_in(peers: Peers) -> None:
    """The key stays with the signer, which sees the exact bytes and where they go."""
    circle = await peers.start("circle")
    asked: list[Challenge] = []

    def sign(challenge: Challenge) -> str:
        asked.append(challenge)
        return "0x" + sign_message(KEY, challenge.nonce).upper()

    async with client(circle.url, key=None, signer=Programmed(sign, derive_public_key(KEY, compressed=True))) as it:
        assert it.public_key == derive_public_key(KEY)
        assert len(asked) == 1
        await circle.ask("cut_all")
        assert await it.call("echo", [1], idempotent=True) == 1
        assert len(asked) == 2
    assert asked[0].nonce != asked[1].nonce
    for challenge in asked:
        assert (challenge.profile, challenge.url) == ("eip191", circle.url)
        assert challenge.message == PROFILES["eip191"].message(challenge.nonce.encode())
        assert challenge.digest == PROFILES["eip191"].digest(challenge.message)


async def _for_ever() -> str:
    await asyncio.Event().wait()
    return ""


def _refuse(_: Challenge) -> str:
    raise PermissionError("the person refused")


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        (_refuse, "PermissionError: the person refused"),
        (lambda _: _for_ever(), "sign_timeout"),
        (lambda _: "no signature", "encoding"),
        (lambda _: 42, "encoding"),
        (lambda _: sign_message(KEY, NONCE, "sha256-compact"), "encoding"),
    ],
    ids=["refuses", "hangs", "text", "number", "other encoding"],
)
async def test_a_signer_that_fails_is_fatal(peers: Peers, sign: Any, words: str) -> None:
    """A refusal, a time-out or nonsense is `SignerFailed`, and nothing is sent."""
    peer = await peers.start("scripted", answers=GOOD)
    failure = await refused(peer, key=None, signer=Programmed(sign), sign_timeout=0.1, first_connect="retry")
    assert isinstance(failure, SignerFailed)
    assert words in str(failure)
    assert [request["method"] for request in await requests(peer)] == ["fetch_nonce"]


async def test_a_signer_with_a_bad_public_key_is_fatal(peers: Peers) -> None:
    """What is no point of the curve goes to no circle."""
    peer = await peers.start("scripted", answers=GOOD)
    failure = await refused(peer, key=None, signer=Programmed(lambda _: "", public_key="04" + "11" * 64))
    assert isinstance(failure, SignerFailed)
    assert await requests(peer) == []


async def test_a_person_may_take_longer_than_the_open_timeout(peers: Peers) -> None:
    """The time of the signer does not count towards `open_timeout`."""
    circle = await peers.start("circle")

    async def slowly(challenge: Challenge) -> str:
        await asyncio.sleep(DIALLED + 0.3)
        return sign_message(KEY, challenge.nonce)

    async with client(circle.url, key=None, signer=Programmed(slowly), open_timeout=DIALLED) as it:
        assert it.is_connected()


async def test_a_connection_lost_while_a_person_signs_is_noticed_at_once(peers: Peers) -> None:
    """The person's answer would be worth nothing any more: the attempt fails now, and the next connection asks anew."""
    circle = await peers.start("circle")
    asked: list[Challenge] = []
    given_up: list[Challenge] = []

    async def sign(challenge: Challenge) -> str:
        asked.append(challenge)
        if len(asked) > 1:
            return sign_message(KEY, challenge.statement, challenge.profile)
        try:
            await asyncio.Event().wait()
        finally:
            given_up.append(challenge)
        raise AssertionError("it is never set")

    it = client(circle.url, key=None, signer=Programmed(sign), first_connect="retry", sign_timeout=50)
    changes: list[StatusChange] = []
    it.on_status(changes.append)
    connecting = later(it.connect())
    await eventually(lambda: asked)
    await circle.ask("cut_all")
    await connecting
    assert it.is_connected()
    await it.close()
    assert given_up == asked[:1]
    assert asked[0].nonce != asked[1].nonce
    waiting = next(change for change in changes if change.status is ConnectionStatus.WAITING)
    assert isinstance(waiting.cause, ConnectionFailed)
    assert waiting.cause.phase == "sign"


async def test_a_signature_of_another_key_is_refused(peers: Peers) -> None:
    """The circle checks: a signer that signs with another key than it names is rejected."""
    circle = await peers.start("circle")
    failure = await refused(
        circle, key=None, signer=Programmed(lambda challenge: sign_message(OTHER_KEY, challenge.nonce))
    )
    assert isinstance(failure, AuthRejected)


async def test_a_keypair_is_taken_as_a_signer_too(peers: Peers) -> None:
    """`signer=KeyPair` and `private_key=KeyPair` are the same."""
    circle = await peers.start("circle")
    keypair: Any = KeyPair(KEY)
    async with client(circle.url, key=None, signer=keypair) as it:
        assert it.public_key == derive_public_key(KEY)


async def test_the_wrong_dialect_is_said(peers: Peers) -> None:
    """A fixed dialect is kept to: the other circle's -32602 is an error, not a reason to try more."""
    circle = await peers.start("circle", dialect="circles-1.0")
    failure = await refused(circle, dialect="hero-0.2")
    assert type(failure) is AuthError
    assert "-32602" in str(failure)
