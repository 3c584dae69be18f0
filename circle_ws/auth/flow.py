"""The sign-in as a generator without I/O: it yields steps and is sent their results.

`fetch_nonce` -> sign -> `authenticate`. The driver calls the circle and the signer; an `RpcError` of the circle is
thrown into the generator.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..errors import (
    AuthError,
    AuthRejected,
    ConnectionFailed,
    DowngradeDetected,
    InvalidNonce,
    ProtocolError,
    RpcError,
)
from ..jsonrpc.messages import AUTHENTICATION_REQUIRED, INTERNAL_ERROR, INVALID_CREDENTIALS, INVALID_PARAMS
from ..text import Hidden, redacted
from .crypto_utils import format_public_key
from .profiles import BOUND, PROFILES, audience, bound_statement
from .types import AuthCredentials, Challenge, Dialect, Nonce, ParamsForm, Policy, Profile

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ask", "Sign", "SignIn", "SignInOptions", "Step", "read_nonce", "refuse_digest", "sign_in"]

# The server chooses the nonce. Without a grammar a hostile server could have a client sign a JWT, a transaction or
# another site's login text.
_GRAMMAR = r"[A-Za-z0-9_\-+/=:]{8,256}"
_HEX = r"[0-9A-Fa-f]+"


@dataclass(frozen=True, slots=True)
class Ask:
    """A step: call the circle and send the result back.

    Attributes:
        phase: The phase of errors and timeouts: `nonce` or `authenticate`.
        method: The method.
        params: Its params, by name or by position.
        secrets: Secrets that are redacted from an error of the circle.
    """

    phase: str
    method: str
    params: dict[str, Any] | list[Any] = field(repr=False)
    secrets: Hidden[tuple[str, ...]] = field(default=Hidden[tuple[str, ...]](()), repr=False, compare=False)


class Sign(NamedTuple):
    """A step: let the signer sign, and send the signature back.

    Attributes:
        challenge: The request to the signer.
        profile: The profile that encodes its signature.
    """

    challenge: Challenge
    profile: Profile
    phase: str = "sign"


Step: TypeAlias = Ask | Sign
SignIn: TypeAlias = Generator[Step, Any, bool]


@dataclass(frozen=True, slots=True)
class SignInOptions:
    """The options of a sign-in.

    Attributes:
        url: The circle, as it was dialled.
        profile: The configured profile.
        dialect: The form of `authenticate`; `auto` detects it.
        policy: Whether the signature names the circle.
        can_sign: The names of the profiles that the signer can sign.
        bound_before: Whether this client has signed in with a bound profile already.
        client_nonce: Function that makes 32 hex characters, fresh every time.
        params: Whether params go by name or by position; `auto` detects it.
    """

    url: str = field(repr=False)
    profile: Profile
    dialect: Dialect
    policy: Policy
    can_sign: frozenset[str]
    bound_before: bool
    client_nonce: Callable[[], str]
    params: ParamsForm = "auto"


def sign_in(options: SignInOptions, public_key: str) -> SignIn:
    """Sign in once, with one signature.

    Args:
        options: The options.
        public_key: Hex, in the form of the configured profile.

    Returns:
        Whether the signature was bound to the circle.

    Raises:
        InvalidNonce: The circle's nonce must not be signed.
        DowngradeDetected: The circle does not offer bound signatures, although the policy requires it or it did before.
        AuthRejected: The circle refused the key or the signature.
        AuthError: The server is no circle: it answered in a way that no circle does.
        ProtocolError: The circle offers a bound profile without the required time of expiry.
        ConnectionFailed: The circle had an internal error; another attempt may work.
    """
    named = Ask("nonce", "fetch_nonce", {"pubkey": public_key})
    positional = Ask("nonce", "fetch_nonce", [public_key])
    nonce_forms = {"auto": (named, positional), "named": (named,), "positional": (positional,)}
    answer, asked = yield from _asked(*nonce_forms[options.params])
    nonce = read_nonce(answer.value)
    profile = _choose(options, nonce)
    if profile.bound:
        forms: tuple[Ask, ...] = ((yield from _prove_bound(options, profile, public_key, nonce)),)
    else:
        if profile.bare:
            refuse_digest(nonce)
        credentials = AuthCredentials(public_key, (yield _sign(options, profile, nonce, Hidden(nonce.value.encode()))))
        plain = type(answer.value) is dict and "auth_profiles" not in answer.value
        forms = _legacy_forms(options.dialect, credentials, nonce, positional=type(asked.params) is list, plain=plain)
    result, _ = yield from _asked(*forms)
    _check_result(result)
    return profile.bound


def _choose(options: SignInOptions, nonce: Nonce) -> Profile:
    """Choose the bound profile that both sides know, or the configured one where the policy allows it."""
    if options.profile.bound and options.policy != "legacy-only":
        wanted: tuple[str, ...] = (options.profile.name,)
    else:
        wanted = () if options.policy == "legacy-only" else BOUND
    for name in wanted:
        if name in nonce.profiles and name in options.can_sign:
            return options.profile if name == options.profile.name else PROFILES[name]
    if options.bound_before:
        raise DowngradeDetected(
            "the circle no longer offers to bind signatures to itself, as it did before; nothing was signed"
        )
    if options.policy == "require-bound" or options.profile.bound:
        raise DowngradeDetected(
            "the circle offers no bound profile that the signer can sign, and policy or profile demand one; "
            "nothing was signed"
        )
    return options.profile


def _legacy_forms(
    dialect: Dialect, credentials: AuthCredentials, nonce: Nonce, *, positional: bool, plain: bool
) -> tuple[Ask, ...]:
    """Return `authenticate` in each form to try, in order, all with the same signature.

    A hostile circle gains nothing by refusing one: it gets no second signature.

    Args:
        dialect: The configured one.
        credentials: Key and signature.
        nonce: The signed nonce.
        positional: Whether the circle takes params by position.
        plain: Whether the nonce came as an object without an offer of bound profiles.
    """
    flat = {"pubkey": credentials.public_key, "signature": credentials.signature}
    nested = {"credentials": flat}
    with_nonce = {**flat, "nonce": nonce.value}
    fixed: dict[str, dict[str, Any]] = {"hero-0.2": flat, "circles-1.0": nested, "baobab": with_nonce}
    forms: tuple[dict[str, Any], ...]
    if dialect != "auto":
        forms = (fixed[dialect],)
    elif positional:
        forms = (flat, with_nonce)
    else:
        forms = (nested, flat, with_nonce) if plain else (flat, nested, with_nonce)
    secrets = Hidden[tuple[str, ...]]((nonce.value, credentials.signature))
    return tuple(
        Ask("authenticate", "authenticate", list(form.values()) if positional else form, secrets) for form in forms
    )


def _prove_bound(options: SignInOptions, profile: Profile, public_key: str, nonce: Nonce) -> Generator[Step, Any, Ask]:
    """Sign the statement of a bound profile; return `authenticate`."""
    if nonce.expires_at is None:
        raise ProtocolError(
            f"the circle offers {profile.name} without expires_at, a whole number of seconds, which belongs to it"
        )
    key = format_public_key(public_key, compressed=profile.compressed)
    proof = Hidden[dict[str, Any]](
        {
            "pubkey": key,
            "signature": "",
            "profile": profile.name,
            "client_nonce": options.client_nonce(),
            "expires_at": nonce.expires_at,
        }
    )
    statement = Hidden(
        bound_statement(
            profile.name,
            audience=audience(options.url),
            public_key=key,
            nonce=nonce.value,
            client_nonce=proof.value["client_nonce"],
            expires_at=nonce.expires_at,
        )
    )
    proof.value["signature"] = yield _sign(options, profile, nonce, statement)
    secrets = Hidden[tuple[str, ...]]((nonce.value, proof.value["signature"], proof.value["client_nonce"]))
    return Ask("authenticate", "authenticate", proof.value, secrets)


def _sign(options: SignInOptions, profile: Profile, nonce: Nonce, statement: Hidden[bytes]) -> Sign:
    message = Hidden(profile.message(statement.value))
    digest = profile.digest(message.value)
    # The query may hold a token, which is none of the signer's business.
    url = options.url.partition("?")[0]
    return Sign(Challenge(profile.name, url, nonce.value, statement.value, message.value, digest), profile)


def _asked(form: Ask, *others: Ask) -> Generator[Step, Any, tuple[Hidden[Any], Ask]]:
    """Call the circle in one form, and in the next one if it answers that the params are invalid.

    Returns:
        The answer, and the form that was answered.
    """
    left = list(others)
    while True:
        try:
            return Hidden((yield form)), form
        except RpcError as error:
            refused = redacted(error, form.secrets.value)
        if refused.code != INVALID_PARAMS or not left:
            # Raised outside of the handler, so that the original error, in which the circle may have echoed a secret,
            # does not become the context, which is printed too.
            raise _refusal(refused.code, form.phase) from refused
        form = left.pop(0)


def _check_result(result: Hidden[Any]) -> None:
    verdict = Hidden(result.value.get("authenticated") if type(result.value) is dict else result.value)
    if verdict.value is True:
        return
    if verdict.value is False:
        raise AuthRejected("the circle refused the signature: is this key known there, and the profile the right one?")
    raise AuthError(f"authenticate answered {_describe(verdict.value)} instead of true; is this a circle?")


def _refusal(code: int, phase: str) -> AuthError | ConnectionFailed:
    if code in (AUTHENTICATION_REQUIRED, INVALID_CREDENTIALS):
        return AuthRejected(
            f"the circle refused to sign in ({code}): is this key known there, and the profile the right one?",
            phase=phase,
        )
    if code == INTERNAL_ERROR:
        return ConnectionFailed(f"the circle had an internal error ({code}) while signing in", phase=phase)
    otherwise = " If it is one, it may want another dialect= or params=." if code == INVALID_PARAMS else ""
    return AuthError(f"the server answered error {code} while signing in; is this a circle?{otherwise}", phase=phase)


def _describe(value: Any) -> str:
    names = {type(None): "null", int: "a number", float: "a number", str: "a string"}
    return names.get(type(value), "an array" if type(value) is list else "an object")


def read_nonce(answer: Any) -> Nonce:
    """Return the nonce in an answer to `fetch_nonce`.

    Args:
        answer: A string, or an object with a string member `nonce`.

    Raises:
        InvalidNonce: It must not be signed.
    """
    given = Hidden[dict[str, Any]](answer if type(answer) is dict else {"nonce": answer})
    del answer
    value = Hidden(given.value.get("nonce"))
    if type(value.value) is not str:
        raise InvalidNonce("fetch_nonce answered neither a string nor an object with a string member 'nonce'")
    # fullmatch, because "$" also matches before a final newline.
    if re.fullmatch(_GRAMMAR, value.value) is None:
        raise InvalidNonce(
            "the circle's nonce is not 8 to 256 characters of A-Z a-z 0-9 _ - + / = : ; nothing was signed"
        )
    expires_at, names = given.value.get("expires_at"), given.value.get("auth_profiles")
    # Above 2^53 JavaScript cannot represent every integer, and would echo another one.
    known = type(expires_at) is int and 0 <= expires_at < 2**53
    offered = [name for name in names if type(name) is str] if type(names) is list else ()
    return Nonce(value.value, expires_at if known else None, frozenset(offered))


def refuse_digest(nonce: Nonce) -> None:
    """Check a nonce that is hashed without a prefix: one of 32 characters must be hexadecimal.

    Other 32 bytes could be the digest of something else, such as a transaction.

    Raises:
        InvalidNonce: It is not.
    """
    if len(nonce.value) == 32 and re.fullmatch(_HEX, nonce.value) is None:
        raise InvalidNonce("the circle's nonce is 32 characters but not hexadecimal; nothing was signed")
