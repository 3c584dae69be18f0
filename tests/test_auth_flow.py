"""The sign-in, driven by hand: what is asked, in which order, and what each answer leads to."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from circle_ws import CircleWsClientBuilder
from circle_ws.auth import PROFILES, Challenge, KeyPair, Profile
from circle_ws.auth.flow import Ask, Sign, SignIn, sign_in
from circle_ws.auth.types import AuthCredentials, Dialect
from circle_ws.errors import AuthError, AuthRejected, CircleWsError, ConnectionFailed, InvalidNonce, RpcError
from circle_ws.transport.memory import MemoryPeer, MemoryServer

_URL = "wss://circle.example/02ab"
_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
_PUBLIC = KeyPair(_KEY).public_key
_NONCE = "nonce_1234567890_abcdef"
_SIGNATURE = "ab" * 64 + "1b"
_FLAT = {"pubkey": _PUBLIC, "signature": _SIGNATURE}
_NESTED = {"credentials": _FLAT}
_INVALID_PARAMS = RpcError(-32602, "invalid params")


def _flow(*, profile: Profile = PROFILES["eip191"], dialect: Dialect = "auto") -> SignIn:
    return sign_in(url=_URL, public_key=_PUBLIC, profile=profile, dialect=dialect)


def _signed(nonce: Any = _NONCE, **options: Any) -> tuple[SignIn, Ask]:
    """Go up to `authenticate`; give the flow and what it asks there."""
    flow = _flow(**options)
    assert next(flow) == Ask("nonce", "fetch_nonce", {"pubkey": _PUBLIC})
    assert isinstance(flow.send(nonce), Sign)
    asked = flow.send(_SIGNATURE)
    assert isinstance(asked, Ask)
    assert (asked.phase, asked.method) == ("authenticate", "authenticate")
    return flow, asked


def _ends(flow: SignIn, answer: Any) -> None:
    """Send the last answer; the flow is through, signed in."""
    with pytest.raises(StopIteration) as caught:
        flow.send(answer)
    assert caught.value.value is None


def _all_of(error: BaseException | None) -> Iterator[BaseException]:
    """Give an exception with all its causes and contexts."""
    if error is not None:
        yield error
        yield from _all_of(error.__cause__)
        yield from _all_of(error.__context__)


def _text_of(error: BaseException) -> str:
    """Give everything that a log or a crash report could write about an exception."""
    return " ".join(f"{one!r} {one} {one.args} {vars(one)}" for one in _all_of(error)).lower()


@pytest.mark.parametrize("name", PROFILES)
def test_what_is_signed(name: str) -> None:
    """The signer gets the profile, the URL, the nonce, the exact bytes and their digest."""
    flow, profile = _flow(profile=PROFILES[name]), PROFILES[name]
    next(flow)
    message = profile.message(_NONCE.encode())
    assert flow.send(_NONCE) == Sign(Challenge(name, _URL, _NONCE, message, profile.digest(message)))


@pytest.mark.parametrize(
    ("dialect", "nonce", "params"),
    [
        ("auto", _NONCE, _FLAT),
        ("auto", {"nonce": _NONCE}, _NESTED),
        ("auto", {"nonce": _NONCE, "expires_at": 1750000000}, _NESTED),
        ("auto", {"nonce": _NONCE, "expires_at": 1750000000, "auth_profiles": []}, _FLAT),
        ("auto", {"nonce": _NONCE, "expires_at": 1750000000, "auth_profiles": ["other"]}, _FLAT),
        ("hero-0.2", _NONCE, _FLAT),
        ("hero-0.2", {"nonce": _NONCE}, _FLAT),
        ("circles-1.0", _NONCE, _NESTED),
        ("circles-1.0", {"nonce": _NONCE}, _NESTED),
    ],
)
@pytest.mark.parametrize("answer", [True, {"authenticated": True}, {"authenticated": True, "user": "x"}], ids=repr)
def test_dialects(dialect: Dialect, nonce: Any, params: dict[str, Any], answer: Any) -> None:
    """Each dialect has its form of `authenticate`; `auto` follows the shape of the nonce. Exactly true is success."""
    flow, asked = _signed(nonce, dialect=dialect)
    assert asked.params == params
    _ends(flow, answer)


@pytest.mark.parametrize(
    ("nonce", "first", "second"),
    [(_NONCE, _FLAT, _NESTED), ({"nonce": _NONCE}, _NESTED, _FLAT)],
    ids=["text", "object"],
)
def test_invalid_params_resend_the_same_signature(nonce: Any, first: Any, second: Any) -> None:
    """In `auto` -32602 sends the same signature once more, in the other form; the signer is not asked again."""
    flow, asked = _signed(nonce)
    assert asked.params == first
    assert flow.throw(_INVALID_PARAMS) == Ask("authenticate", "authenticate", second)
    _ends(flow, True)


@pytest.mark.parametrize("nonce", [_NONCE, {"nonce": _NONCE}], ids=["text", "object"])
def test_invalid_params_twice_is_the_end(nonce: Any) -> None:
    """A server that knows neither form is no circle: there is no third attempt."""
    flow, _ = _signed(nonce)
    flow.throw(_INVALID_PARAMS)
    with pytest.raises(
        AuthError, match="the server answered error -32602 while signing in; is this a circle"
    ) as caught:
        flow.throw(_INVALID_PARAMS)
    assert type(caught.value) is AuthError


@pytest.mark.parametrize("dialect", ["hero-0.2", "circles-1.0"])
def test_a_fixed_dialect_is_not_left(dialect: Dialect) -> None:
    """Outside of `auto` -32602 ends the sign-in, and nothing is sent again."""
    flow, _ = _signed(dialect=dialect)
    with pytest.raises(AuthError, match="-32602") as caught:
        flow.throw(_INVALID_PARAMS)
    assert type(caught.value) is AuthError


def test_invalid_params_for_the_nonce_are_the_end() -> None:
    """There is one form of `fetch_nonce`."""
    flow = _flow()
    next(flow)
    with pytest.raises(AuthError, match="-32602") as caught:
        flow.throw(_INVALID_PARAMS)
    assert caught.value.phase == "nonce"


def test_refusals_in_the_other_form() -> None:
    """What the circle answers to the second form counts as it does for the first."""
    flow, _ = _signed()
    flow.throw(_INVALID_PARAMS)
    with pytest.raises(AuthRejected):
        flow.send(False)
    flow, _ = _signed()
    flow.throw(_INVALID_PARAMS)
    with pytest.raises(AuthRejected, match="-32002"):
        flow.throw(RpcError(-32002, "no"))


@pytest.mark.parametrize("answer", [False, {"authenticated": False}, {"authenticated": False, "reason": "x"}], ids=repr)
def test_false_is_a_refusal(answer: Any) -> None:
    """The published no is an `AuthRejected` that says what to look at."""
    flow, _ = _signed()
    with pytest.raises(AuthRejected, match="is this key known there, and the profile the right one") as caught:
        flow.send(answer)
    assert caught.value.phase == "authenticate"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "null"),
        (1, "a number"),
        (1.0, "a number"),
        (0, "a number"),
        ("true", "a string"),
        ("", "a string"),
        (_SIGNATURE, "a string"),
        ([], "an array"),
        ([True], "an array"),
        ({}, "null"),
        ({"authenticated": None}, "null"),
        ({"authenticated": 1}, "a number"),
        ({"authenticated": "true"}, "a string"),
        ({"authenticated": _SIGNATURE}, "a string"),
        ({"authenticated": [True]}, "an array"),
        ({"authenticated": {"authenticated": True}}, "an object"),
        ({"Authenticated": True}, "null"),
        ({"ok": True}, "null"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_nothing_else_is_success(answer: Any, words: str) -> None:
    """Whatever is not exactly true is no success; the error names its kind, and never its value."""
    flow, _ = _signed()
    with pytest.raises(AuthError, match=f"authenticate answered {words} instead of true") as caught:
        flow.send(answer)
    assert type(caught.value) is AuthError
    assert _SIGNATURE not in _text_of(caught.value)


@pytest.mark.parametrize("phase", ["nonce", "authenticate"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-32001, AuthRejected),
        (-32002, AuthRejected),
        (-32603, ConnectionFailed),
        (-32601, AuthError),
        (-32600, AuthError),
        (-32700, AuthError),
        (-32000, AuthError),
        (0, AuthError),
        (32001, AuthError),
    ],
)
def test_errors_of_the_server(phase: str, code: int, kind: type[CircleWsError]) -> None:
    """Two codes refuse the key, an internal error is worth another attempt, any other comes from no circle."""
    if phase == "nonce":
        flow = _flow()
        next(flow)
    else:
        flow, _ = _signed()
    with pytest.raises(kind, match=str(code)) as caught:
        flow.throw(RpcError(code, "the reason", {"detail": 1}))
    assert type(caught.value) is kind
    assert getattr(caught.value, "phase", None) == phase
    cause = caught.value.__cause__
    assert isinstance(cause, RpcError)
    assert (cause.code, cause.message, cause.data) == (code, "the reason", None)


@pytest.mark.parametrize("answer", [None, 7, {}, {"nonce": 7}, "short", "a.b.c", _NONCE + "\n"], ids=repr)
def test_a_bad_nonce_is_not_signed(answer: Any) -> None:
    """With a nonce that breaks the grammar the flow ends before the signer is asked."""
    flow = _flow()
    next(flow)
    with pytest.raises(InvalidNonce):
        flow.send(answer)
    with pytest.raises(StopIteration):
        next(flow)


def test_bareness_reaches_the_grammar() -> None:
    """32 characters that are not hex are signed under a prefix, and refused bare."""
    nonce = "n" * 32
    flow = _flow(profile=PROFILES["eip191"])
    next(flow)
    assert isinstance(flow.send(nonce), Sign)
    flow = _flow(profile=PROFILES["sha256-compact"])
    next(flow)
    with pytest.raises(InvalidNonce, match="not hexadecimal"):
        flow.send(nonce)


@pytest.mark.parametrize("code", [-32001, -32002, -32603, -32602, -32000])
@pytest.mark.parametrize(
    "echo",
    [
        _SIGNATURE,
        _SIGNATURE.upper(),
        f"bad signature 0x{_SIGNATURE}!",
        f"nonce {_NONCE} is used up, {_SIGNATURE} does not fit",
        _NONCE.upper(),
        f"{_NONCE}{_NONCE}",
    ],
    ids=lambda text: text[:24],
)
@pytest.mark.parametrize("dialect", ["auto", "hero-0.2"])
def test_an_echo_goes_no_further(code: int, echo: str, dialect: Dialect) -> None:
    """A server that repeats the nonce or the signature, in the message or the data, finds them in no exception."""
    flow, _ = _signed(dialect=dialect)
    error = RpcError(code, f"refused: {echo}", {"got": [echo]})
    if code == -32602 and dialect == "auto":
        flow.throw(error)
    with pytest.raises((AuthError, ConnectionFailed)) as caught:
        flow.throw(error)
    assert "refused: " in _text_of(caught.value)
    for secret in (_SIGNATURE, _NONCE):
        assert secret.lower() not in _text_of(caught.value)


@pytest.mark.parametrize("code", [-32002, -32603])
async def test_an_echo_does_not_reach_the_caller(code: int, caplog: pytest.LogCaptureFixture) -> None:
    """Through the whole client the echo is in nothing that `connect()` raises, keeps as its failure, or logs."""
    signatures: list[str] = []

    async def echo(peer: MemoryPeer) -> None:
        async for text in peer:
            message = json.loads(text)
            if message["method"] == "fetch_nonce":
                answer: dict[str, Any] = {"result": _NONCE}
            else:
                signatures.append(message["params"]["signature"])
                echoed = f"no: {signatures[0]} {_NONCE}"
                answer = {"error": {"code": code, "message": echoed, "data": echoed}}
            peer.send(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}))

    builder = CircleWsClientBuilder("ws://localhost/").with_keypair(_KEY).with_transport(MemoryServer(echo))
    client = builder.without_keepalive().build()
    with caplog.at_level(logging.DEBUG), pytest.raises(CircleWsError) as caught:
        await client.connect()
    failure = client.failure
    await client.close()
    assert failure is not None
    assert len(signatures) == 1
    for text in (_text_of(caught.value), _text_of(failure), caplog.text.lower(), repr(client).lower()):
        for secret in (signatures[0], _NONCE, _KEY):
            assert secret not in text


def test_steps_do_not_print_their_secrets() -> None:
    """What the flow yields can be logged: neither nonce nor signature is in a `repr`."""
    flow = _flow()
    next(flow)
    sign = flow.send(_NONCE)
    ask = flow.send(_SIGNATURE)
    printed = f"{sign!r} {ask!r} {AuthCredentials(_PUBLIC, _SIGNATURE)!r}"
    assert "authenticate" in printed
    assert _PUBLIC in printed
    for secret in (_NONCE, _SIGNATURE, _NONCE.encode().hex()):
        assert secret not in printed
