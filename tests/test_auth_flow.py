"""The sign-in, driven by hand: what is asked, in which order, and what each answer leads to."""

import dataclasses
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from circle_ws import CircleWsClientBuilder
from circle_ws.auth import PROFILES, Challenge, KeyPair, Profile
from circle_ws.auth.flow import Ask, Sign, SignIn, SignInOptions, sign_in
from circle_ws.auth.profiles import BOUND, bound_statement
from circle_ws.auth.types import AuthCredentials, Dialect, ParamsForm, Policy
from circle_ws.errors import (
    AuthError,
    AuthRejected,
    CircleWsError,
    ConnectionFailed,
    DowngradeDetected,
    InvalidNonce,
    ProtocolError,
    RpcError,
)
from circle_ws.transport.memory import MemoryPeer, MemoryServer

_URL = "wss://circle.example/02ab"
_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
_PUBLIC = KeyPair(_KEY).public_key
_NONCE = "nonce_1234567890_abcdef"
_SIGNATURE = "ab" * 64 + "1b"
_FLAT = {"pubkey": _PUBLIC, "signature": _SIGNATURE}
_NESTED = {"credentials": _FLAT}
_INVALID_PARAMS = RpcError(-32602, "invalid params")


_COMPRESSED = KeyPair(_KEY).format_public_key(compressed=True)
_CLIENT_NONCE = "000102030405060708090a0b0c0d0e0f"
_EXPIRES = 1750000000
_OFFER = {"nonce": _NONCE, "expires_at": _EXPIRES, "auth_profiles": list(BOUND)}
_LEGACY = [name for name in PROFILES if name not in BOUND]


def _options(
    *,
    profile: Profile = PROFILES["eip191"],
    dialect: Dialect = "auto",
    policy: Policy = "prefer-bound",
    can_sign: frozenset[str] = frozenset(PROFILES),
    bound_before: bool = False,
    params: ParamsForm = "auto",
) -> SignInOptions:
    return SignInOptions(_URL, profile, dialect, policy, can_sign, bound_before, lambda: _CLIENT_NONCE, params)


def _flow(**options: Any) -> SignIn:
    return sign_in(_options(**options), _PUBLIC)


def _signed(nonce: Any = _NONCE, **options: Any) -> tuple[SignIn, Ask]:
    """Go up to `authenticate`; give the flow and what it asks there."""
    flow = _flow(**options)
    assert next(flow) == Ask("nonce", "fetch_nonce", {"pubkey": _PUBLIC})
    assert isinstance(flow.send(nonce), Sign)
    asked = flow.send(_SIGNATURE)
    assert isinstance(asked, Ask)
    assert (asked.phase, asked.method) == ("authenticate", "authenticate")
    return flow, asked


def _ends(flow: SignIn, answer: Any, *, bound: bool = False) -> None:
    """Send the last answer; the flow is through, signed in, and says whether the signature named the circle."""
    with pytest.raises(StopIteration) as caught:
        flow.send(answer)
    assert caught.value.value is bound


def _all_of(error: BaseException | None) -> Iterator[BaseException]:
    """Return an exception with all its causes and contexts."""
    if error is not None:
        yield error
        yield from _all_of(error.__cause__)
        yield from _all_of(error.__context__)


def _text_of(error: BaseException) -> str:
    """Return everything that a log or a crash report could contain of an exception."""
    return " ".join(f"{one!r} {one} {one.args} {vars(one)}" for one in _all_of(error)).lower()


@pytest.mark.parametrize("name", _LEGACY)
def test_what_is_signed(name: str) -> None:
    """The signer gets the profile, the URL, the nonce, the exact bytes and their digest."""
    flow, profile = _flow(profile=PROFILES[name]), PROFILES[name]
    next(flow)
    message = profile.message(_NONCE.encode())
    challenge = Challenge(name, _URL, _NONCE, _NONCE.encode(), message, profile.digest(message))
    assert flow.send(_NONCE) == Sign(challenge, profile)


def test_the_signer_gets_no_query() -> None:
    """It may hold a token, which is none of the signer's business."""
    flow = sign_in(dataclasses.replace(_options(), url=f"{_URL}?token=x?y"), _PUBLIC)
    next(flow)
    sign = flow.send(_NONCE)
    assert isinstance(sign, Sign)
    assert sign.challenge.url == _URL


def _bound_challenge(profile: Profile) -> Challenge:
    statement = bound_statement(
        profile.name,
        audience=_URL,
        public_key=_COMPRESSED,
        nonce=_NONCE,
        client_nonce=_CLIENT_NONCE,
        expires_at=_EXPIRES,
    )
    message = profile.message(statement)
    return Challenge(profile.name, _URL, _NONCE, statement, message, profile.digest(message))


@pytest.mark.parametrize("dialect", ["auto", "hero-0.2", "circles-1.0"])
@pytest.mark.parametrize("policy", ["prefer-bound", "require-bound"])
@pytest.mark.parametrize("configured", PROFILES)
@pytest.mark.parametrize("name", BOUND)
def test_a_bound_sign_in(name: str, configured: str, policy: Policy, dialect: Dialect) -> None:
    """Where both know a bound profile the six lines are signed, and sent flat with what the circle has to know.

    `fetch_nonce` has the configured profile's form of the key, `authenticate` the compressed one; whatever the dialect
    and the configured profile. A bound profile that is configured itself is signed, and no other.
    """
    expected = configured if configured in BOUND else name
    offer = {**_OFFER, "auth_profiles": [name, expected, "unheard-of"]}
    flow = _flow(profile=PROFILES[configured], policy=policy, dialect=dialect)
    assert next(flow) == Ask("nonce", "fetch_nonce", {"pubkey": _PUBLIC})
    assert flow.send(offer) == Sign(_bound_challenge(PROFILES[expected]), PROFILES[expected])
    sent = {
        "pubkey": _COMPRESSED,
        "signature": _SIGNATURE,
        "profile": expected,
        "client_nonce": _CLIENT_NONCE,
        "expires_at": _EXPIRES,
    }
    assert flow.send(_SIGNATURE) == Ask("authenticate", "authenticate", sent)
    _ends(flow, {"authenticated": True}, bound=True)


@pytest.mark.parametrize(
    ("offered", "can_sign", "chosen"),
    [
        (list(BOUND), set(PROFILES), "circle-bound-v1"),
        (list(reversed(BOUND)), set(PROFILES), "circle-bound-v1"),
        (list(BOUND), {"eip191", "circle-bound-eip191-v1"}, "circle-bound-eip191-v1"),
        (["circle-bound-eip191-v1"], set(PROFILES), "circle-bound-eip191-v1"),
        (["circle-bound-v2", "circle-bound-v1"], set(PROFILES), "circle-bound-v1"),
        (["circle-bound-v1"], {"eip191", "circle-bound-eip191-v1"}, "eip191"),
        (["CIRCLE-BOUND-V1", "circle-bound-v1 "], set(PROFILES), "eip191"),
        (["eip191-v0", "sha256-compact"], set(PROFILES), "eip191"),
        ([], set(PROFILES), "eip191"),
    ],
    ids=repr,
)
def test_the_choice(offered: list[str], can_sign: set[str], chosen: str) -> None:
    """The first of the two that is offered and can be signed; where there is none, what is configured.

    A circle cannot have another profile signed than those by offering it.
    """
    flow = _flow(can_sign=frozenset(can_sign))
    next(flow)
    sign = flow.send({**_OFFER, "auth_profiles": offered})
    assert isinstance(sign, Sign)
    assert (sign.profile.name, sign.challenge.profile) == (chosen, chosen)


def test_a_bound_profile_of_ones_own() -> None:
    """A user's own bound profile is signed where the circle offers it by name, and only that one."""
    mine = dataclasses.replace(PROFILES["circle-bound-v1"], name="mine-v1")
    flow = _flow(profile=mine, can_sign=frozenset({"mine-v1", *PROFILES}))
    next(flow)
    sign = flow.send({**_OFFER, "auth_profiles": ["circle-bound-v1", "mine-v1"]})
    assert isinstance(sign, Sign)
    assert sign.profile is mine
    assert sign.challenge.statement.startswith(b"mine-v1\naudience=")
    flow = _flow(profile=mine, can_sign=frozenset({"mine-v1", *PROFILES}))
    next(flow)
    with pytest.raises(DowngradeDetected):
        flow.send(_OFFER)


def test_legacy_only_ignores_the_offer() -> None:
    """With `legacy-only` the configured profile signs the bare nonce, flat, as there is an offer."""
    flow = _flow(policy="legacy-only")
    next(flow)
    sign = flow.send(_OFFER)
    assert isinstance(sign, Sign)
    assert sign.challenge.statement == _NONCE.encode()
    assert flow.send(_SIGNATURE) == Ask("authenticate", "authenticate", _FLAT)
    _ends(flow, True)


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "require-bound"},
        {"bound_before": True},
        {"profile": PROFILES["circle-bound-v1"]},
        {"profile": PROFILES["circle-bound-eip191-v1"], "policy": "legacy-only"},
    ],
    ids=["required", "before", "profile", "contradiction"],
)
@pytest.mark.parametrize(
    "answer",
    [
        _NONCE,
        {"nonce": _NONCE},
        {"nonce": _NONCE, "expires_at": _EXPIRES},
        {**_OFFER, "auth_profiles": []},
        {**_OFFER, "auth_profiles": "circle-bound-v1"},
        {**_OFFER, "auth_profiles": {"circle-bound-v1": True}},
        {**_OFFER, "auth_profiles": ["circle-bound-v2", "eip191", 1]},
    ],
    ids=range(7),
)
def test_no_downgrade(options: dict[str, Any], answer: Any) -> None:
    """Where the signature must name the circle and the circle does not offer it, nothing is signed."""
    flow = _flow(**options)
    next(flow)
    with pytest.raises(DowngradeDetected) as caught:
        flow.send(answer)
    assert str(caught.value) == (
        "the circle no longer offers to bind signatures to itself, as it did before; nothing was signed"
        if "bound_before" in options
        else "the circle offers no bound profile that the signer can sign, and policy or profile demand one; "
        "nothing was signed"
    )
    assert caught.value.phase == "nonce"
    with pytest.raises(StopIteration):
        next(flow)


def test_a_policy_that_contradicts_the_profile_signs_nothing() -> None:
    """Options refuse the two together; the flow for itself signs neither what names the circle nor what does not."""
    flow = _flow(profile=PROFILES["circle-bound-v1"], policy="legacy-only")
    next(flow)
    with pytest.raises(DowngradeDetected):
        flow.send(_OFFER)


def test_no_downgrade_by_a_signer() -> None:
    """A signer that can sign none of what is offered does not make a required bound signature a legacy one."""
    flow = _flow(policy="require-bound", can_sign=frozenset({"eip191"}))
    next(flow)
    with pytest.raises(DowngradeDetected):
        flow.send(_OFFER)


@pytest.mark.parametrize(
    "expires_at", [None, True, False, 1.5, 1750000000.0, -1, 2**53, 2**60, "1", "1750000000", [1], {}], ids=repr
)
def test_an_offer_needs_its_expiry(expires_at: Any) -> None:
    """A bound profile that is offered without a whole number below 2^53 is a `ProtocolError`; nothing is signed."""
    for answer in ({**_OFFER, "expires_at": expires_at}, {"nonce": _NONCE, "auth_profiles": list(BOUND)}):
        flow = _flow()
        next(flow)
        with pytest.raises(ProtocolError, match="without expires_at"):
            flow.send(answer)
        with pytest.raises(StopIteration):
            next(flow)


@pytest.mark.parametrize("expires_at", [0, 1, 2**53 - 1])
def test_the_expiry_is_echoed(expires_at: int) -> None:
    """Any time the circle names is signed and sent back as it is: a wrong clock here has no effect."""
    flow = _flow()
    next(flow)
    sign = flow.send({**_OFFER, "expires_at": expires_at})
    assert isinstance(sign, Sign)
    assert sign.challenge.statement.endswith(f"\nexpires_at={expires_at}\n".encode())
    ask = flow.send(_SIGNATURE)
    assert isinstance(ask, Ask)
    assert type(ask.params) is dict
    assert ask.params["expires_at"] == expires_at


@pytest.mark.parametrize("dialect", ["auto", "hero-0.2", "circles-1.0"])
def test_a_bound_signature_is_sent_once(dialect: Dialect) -> None:
    """There is one form of a bound sign-in: -32602 ends it, in every dialect."""
    flow = _flow(dialect=dialect)
    next(flow)
    flow.send(_OFFER)
    flow.send(_SIGNATURE)
    with pytest.raises(AuthError, match="-32602") as caught:
        flow.throw(_INVALID_PARAMS)
    assert type(caught.value) is AuthError


def test_each_bound_sign_in_has_a_client_nonce_of_its_own() -> None:
    """The client's own nonce is asked for each time, and only where it is used."""
    made: list[str] = []

    def make() -> str:
        made.append(f"{len(made):032x}")
        return made[-1]

    for answer in (_OFFER, _NONCE, _OFFER):
        flow = sign_in(dataclasses.replace(_options(), client_nonce=make), _PUBLIC)
        next(flow)
        flow.send(answer)
    assert made == [f"{0:032x}", f"{1:032x}"]


def test_the_grammar_holds_for_bound_nonces() -> None:
    """A nonce that could end a line of the six, or any other outside the grammar, is not signed."""
    for nonce in (_NONCE + "\nexpires_at=1", "short", "a b c d e f g"):
        flow = _flow(policy="require-bound")
        next(flow)
        with pytest.raises(InvalidNonce):
            flow.send({**_OFFER, "nonce": nonce})


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
def test_the_nonce_is_sent_back_last(nonce: Any) -> None:
    """A circle that takes neither of these two may be one that wants its nonce back: it gets the same signature."""
    flow, _ = _signed(nonce)
    flow.throw(_INVALID_PARAMS)
    assert flow.throw(_INVALID_PARAMS) == _authenticate(**_FLAT, nonce=_NONCE)
    _ends(flow, True)


@pytest.mark.parametrize("nonce", [_NONCE, {"nonce": _NONCE}], ids=["text", "object"])
def test_invalid_params_three_times_is_the_end(nonce: Any) -> None:
    """A server that knows none of the forms is no circle: there is no fourth attempt."""
    flow, _ = _signed(nonce)
    flow.throw(_INVALID_PARAMS)
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


# By name and by position.

_BY_NAME = Ask("nonce", "fetch_nonce", {"pubkey": _PUBLIC})
_BY_POSITION = Ask("nonce", "fetch_nonce", [_PUBLIC])
_NO_METHOD = RpcError(-32601, "no such method")


def _authenticate(*params: Any, **named: Any) -> Ask:
    return Ask("authenticate", "authenticate", list(params) or named)


@pytest.mark.parametrize(("params", "first"), [("auto", _BY_NAME), ("named", _BY_NAME), ("positional", _BY_POSITION)])
def test_how_the_nonce_is_asked_for(params: ParamsForm, first: Ask) -> None:
    """By name at first; where it is said, by position and in no other way."""
    flow = _flow(params=params)
    assert next(flow) == first
    if params != "auto":
        with pytest.raises(AuthError, match="-32602.*dialect= or params="):
            flow.throw(_INVALID_PARAMS)


def test_a_nonce_is_asked_for_by_position_once() -> None:
    """In `auto` -32602 has it asked for by position; a second one is the end, and says what could be set."""
    flow = _flow()
    next(flow)
    assert flow.throw(_INVALID_PARAMS) == _BY_POSITION
    with pytest.raises(
        AuthError, match=r"-32602 .* circle\? If it is one, it may want another dialect= or params=\.$"
    ) as caught:
        flow.throw(_INVALID_PARAMS)
    assert type(caught.value) is AuthError
    assert caught.value.phase == "nonce"


@pytest.mark.parametrize("code", [-32601, -32600, -32700, -32000, -32001, -32002, -32603, 32602, -32603])
def test_only_invalid_params_ask_by_position(code: int) -> None:
    """Any other error is what it always is."""
    flow = _flow()
    next(flow)
    with pytest.raises((AuthError, ConnectionFailed), match=str(code)):
        flow.throw(RpcError(code, "no"))


@pytest.mark.parametrize(
    ("dialect", "forms"),
    [
        ("auto", [[_PUBLIC, _SIGNATURE], [_PUBLIC, _SIGNATURE, _NONCE]]),
        ("hero-0.2", [[_PUBLIC, _SIGNATURE]]),
        ("circles-1.0", [[_FLAT]]),
        ("baobab", [[_PUBLIC, _SIGNATURE, _NONCE]]),
    ],
)
@pytest.mark.parametrize("params", ["auto", "positional"])
@pytest.mark.parametrize("nonce", [_NONCE, {"nonce": _NONCE}], ids=["text", "object"])
def test_by_position(dialect: Dialect, forms: list[list[Any]], params: ParamsForm, nonce: Any) -> None:
    """A circle that takes params by position gets `authenticate` so, with one signature in the forms of the dialect."""
    flow = _flow(dialect=dialect, params=params)
    next(flow)
    if params == "auto":
        assert flow.throw(_INVALID_PARAMS) == _BY_POSITION
    assert isinstance(flow.send(nonce), Sign)
    assert flow.send(_SIGNATURE) == _authenticate(*forms[0])
    for form in forms[1:]:
        assert flow.throw(_INVALID_PARAMS) == _authenticate(*form)
    _ends(flow, True)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"params": "auto"}, 4),
        ({"params": "positional"}, 3),
        ({"params": "named"}, 4),
        ({"params": "auto", "dialect": "baobab"}, 3),
        ({"params": "named", "dialect": "baobab"}, 2),
    ],
    ids=repr,
)
def test_invalid_params_for_ever_come_to_an_end(options: dict[str, Any], asked: int) -> None:
    """A hostile circle that answers -32602 to all but the nonce gets so many requests, one signature, and an error."""
    flow = _flow(**options)
    step, asks, signed = next(flow), 0, 0
    with pytest.raises(AuthError, match="-32602") as caught:
        while True:
            if isinstance(step, Sign):
                signed += 1
                step = flow.send(_SIGNATURE)
                continue
            asks += 1
            is_late = step.phase == "nonce" and (asks == 2 or options["params"] != "auto")
            step = flow.send(_NONCE) if is_late else flow.throw(_INVALID_PARAMS)
    assert (type(caught.value), asks, signed) == (AuthError, asked, 1)


def test_baobab_by_name() -> None:
    """The dialect sends the nonce back with the signature, and nothing else is tried."""
    flow, asked = _signed(dialect="baobab")
    assert asked == _authenticate(pubkey=_PUBLIC, signature=_SIGNATURE, nonce=_NONCE)
    with pytest.raises(AuthError, match="-32602"):
        flow.throw(_INVALID_PARAMS)


@pytest.mark.parametrize("params", ["auto", "positional"])
@pytest.mark.parametrize("dialect", ["auto", "hero-0.2", "circles-1.0", "baobab"])
def test_a_bound_sign_in_is_by_name_and_once(params: ParamsForm, dialect: Dialect) -> None:
    """Whatever form the nonce was asked for in, the bound proof has its members by name, and -32602 ends it."""
    flow = _flow(params=params, dialect=dialect)
    next(flow)
    if params == "auto":
        flow.throw(_INVALID_PARAMS)
    assert isinstance(flow.send(_OFFER), Sign)
    asked = flow.send(_SIGNATURE)
    assert isinstance(asked, Ask)
    assert type(asked.params) is dict
    assert asked.params["profile"] == "circle-bound-v1"
    with pytest.raises(AuthError, match="-32602"):
        flow.throw(_INVALID_PARAMS)


@pytest.mark.parametrize("answer", [False, _NO_METHOD], ids=repr)
def test_no_third_form_after_another_answer(answer: Any) -> None:
    """By position, too, what is no -32602 is the last word."""
    flow = _flow(params="positional")
    next(flow)
    flow.send(_NONCE)
    flow.send(_SIGNATURE)
    with pytest.raises(AuthError):
        flow.throw(answer) if isinstance(answer, RpcError) else flow.send(answer)
    with pytest.raises(StopIteration):
        next(flow)


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
    words = r"^the circle refused the signature: is this key known there, and the profile the right one\?$"
    with pytest.raises(AuthRejected, match=words) as caught:
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
    assert (cause.code, cause.message, cause.data) == (code, "the reason", {"detail": 1})
    if kind is AuthError:
        assert str(caught.value) == f"the server answered error {code} while signing in; is this a circle?"


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
        flow.throw(error)
    with pytest.raises((AuthError, ConnectionFailed)) as caught:
        flow.throw(error)
    assert "refused: " in _text_of(caught.value)
    for secret in (_SIGNATURE, _NONCE):
        assert secret.lower() not in _text_of(caught.value)


@pytest.mark.parametrize("offer", [{}, {"auth_profiles": list(BOUND), "expires_at": _EXPIRES}], ids=["bare", "bound"])
def test_an_echo_of_little_goes_no_further(offer: dict[str, Any]) -> None:
    """What is too short to look like a secret is known to be one: a short nonce, a part of the signature."""
    nonce, part = "nonce--1", _SIGNATURE[-14:]
    flow, _ = _signed({"nonce": nonce, **offer})
    with pytest.raises(AuthRejected) as caught:
        flow.throw(RpcError(-32002, f"no: {nonce}, {part}", {"got": [nonce.upper(), part]}))
    assert "no: " in _text_of(caught.value)
    for secret in (part, nonce):
        assert secret not in _text_of(caught.value)


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
    for answer in (_NONCE, _OFFER):
        flow = _flow()
        next(flow)
        sign = flow.send(answer)
        ask = flow.send(_SIGNATURE)
        printed = f"{sign!r} {ask!r} {AuthCredentials(_PUBLIC, _SIGNATURE)!r}"
        assert "authenticate" in printed
        assert _PUBLIC in printed
        for secret in (_NONCE, _SIGNATURE, _NONCE.encode().hex()):
            assert secret not in printed
