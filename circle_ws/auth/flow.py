"""The sign-in as a generator: it yields what to do and is sent the answers, so it does no I/O.

`fetch_nonce` -> sign -> `authenticate`. The driver asks the circle and the signer; an `RpcError` of the circle's is
thrown into the generator.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import AuthError, AuthRejected, ConnectionFailed, DowngradeDetected, ProtocolError, RpcError
from ..frozen import dataclass
from ..jsonrpc.codes import AUTHENTICATION_REQUIRED, INTERNAL_ERROR, INVALID_CREDENTIALS, INVALID_PARAMS
from .audience import audience
from .crypto_utils import format_public_key
from .nonce import read_nonce, refuse_digest
from .profiles import BOUND, PROFILES, bound_statement
from .types import AuthCredentials, Challenge, Dialect, Nonce, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from .profile import Profile

__all__ = ["Ask", "Sign", "SignIn", "SignInOptions", "Step", "sign_in"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the driver to call the circle and send the result back.

    Attributes:
        phase: What an error or a timeout is named after: `nonce` or `authenticate`.
        method: The method.
        params: Its params, by name.
    """

    phase: str
    method: str
    params: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sign:
    """Ask the driver to have the signer sign, and to send the signature back.

    Attributes:
        challenge: What to sign.
        profile: How its signature is encoded.
    """

    challenge: Challenge
    profile: Profile
    phase: str = "sign"


Step: TypeAlias = Ask | Sign
SignIn: TypeAlias = Generator[Step, Any, bool]


@dataclass(frozen=True, slots=True)
class SignInOptions:
    """Hold how one signs in.

    Attributes:
        url: The circle, as it was dialled.
        profile: The configured profile.
        dialect: Which form of `authenticate` is sent; `auto` finds it out.
        policy: Whether the signature names the circle.
        can_sign: The names of the profiles that the signer can sign.
        bound_before: Whether this client has signed in with a bound profile already.
        client_nonce: Makes 32 hex characters, fresh every time.
    """

    url: str
    profile: Profile
    dialect: Dialect
    policy: Policy
    can_sign: frozenset[str]
    bound_before: bool
    client_nonce: Callable[[], str]


def sign_in(options: SignInOptions, public_key: str) -> SignIn:
    """Sign in once, with one signature.

    Args:
        options: How.
        public_key: Hex, in the form of the configured profile.

    Returns:
        Whether the signature was bound to the circle.

    Raises:
        InvalidNonce: The circle's nonce must not be signed.
        DowngradeDetected: The circle does not offer to bind the signature to itself, though it must or did before.
        AuthRejected: The circle refused the key or the signature.
        AuthError: The server is no circle, or answered what no circle answers.
        ProtocolError: The circle offers a bound profile without the time of expiry that belongs to it.
        ConnectionFailed: The circle had an internal error; another attempt may work.
    """
    answer = yield from _asked(Ask("nonce", "fetch_nonce", {"pubkey": public_key}))
    nonce = read_nonce(answer)
    profile = _choose(options, nonce)
    if profile.bound:
        result = yield from _prove_bound(options, profile, public_key, nonce)
    else:
        result = yield from _prove(options, profile, public_key, nonce, nested=_wants_nested(options.dialect, answer))
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


def _prove(
    options: SignInOptions, profile: Profile, public_key: str, nonce: Nonce, *, nested: bool
) -> Generator[Step, Any, Any]:
    if profile.bare:
        refuse_digest(nonce)
    signature = yield _sign(options, profile, nonce, nonce.value.encode())
    credentials = AuthCredentials(public_key, signature)
    return (
        yield from _asked(
            _authenticate(credentials, nested=nested),
            # The same signature in the other published form, so a hostile server gains nothing by asking for it.
            otherwise=_authenticate(credentials, nested=not nested) if options.dialect == "auto" else None,
            secrets=(nonce.value, signature),
        )
    )


def _prove_bound(options: SignInOptions, profile: Profile, public_key: str, nonce: Nonce) -> Generator[Step, Any, Any]:
    if nonce.expires_at is None:
        raise ProtocolError(
            f"the circle offers {profile.name} without expires_at, a whole number of seconds, which belongs to it"
        )
    key, client_nonce = format_public_key(public_key, compressed=profile.compressed), options.client_nonce()
    statement = bound_statement(
        profile.name,
        audience=audience(options.url),
        public_key=key,
        nonce=nonce.value,
        client_nonce=client_nonce,
        expires_at=nonce.expires_at,
    )
    signature = yield _sign(options, profile, nonce, statement)
    sent = {
        "pubkey": key,
        "signature": signature,
        "profile": profile.name,
        "client_nonce": client_nonce,
        "expires_at": nonce.expires_at,
    }
    return (yield from _asked(Ask("authenticate", "authenticate", sent), secrets=(nonce.value, signature)))


def _sign(options: SignInOptions, profile: Profile, nonce: Nonce, statement: bytes) -> Sign:
    message = profile.message(statement)
    challenge = Challenge(profile.name, options.url, nonce.value, statement, message, profile.digest(message))
    return Sign(challenge, profile)


def _wants_nested(dialect: Dialect, answer: Any) -> bool:
    plain_object = type(answer) is dict and "auth_profiles" not in answer
    return dialect == "circles-1.0" or (dialect == "auto" and plain_object)


def _authenticate(credentials: AuthCredentials, *, nested: bool) -> Ask:
    flat = {"pubkey": credentials.public_key, "signature": credentials.signature}
    return Ask("authenticate", "authenticate", {"credentials": flat} if nested else flat)


def _asked(step: Ask, *, otherwise: Ask | None = None, secrets: tuple[str, ...] = ()) -> Generator[Step, Any, Any]:
    """Ask the circle; ask `otherwise` where it says that the params are wrong."""
    refused: RpcError
    try:
        return (yield step)
    except RpcError as error:
        refused = error
    if otherwise is not None and refused.code == INVALID_PARAMS:
        return (yield from _asked(otherwise, secrets=secrets))
    # Outside of the handler: the circle may have echoed a secret, and a context is printed too.
    raise _refusal(refused.code, step.phase) from _redacted(refused, secrets)


def _check_result(result: Any) -> None:
    verdict = result.get("authenticated") if type(result) is dict else result
    if verdict is True:
        return
    if verdict is False:
        raise AuthRejected("the circle refused the signature: is this key known there, and the profile the right one?")
    raise AuthError(f"authenticate answered {_describe(verdict)} instead of true; is this a circle?")


def _refusal(code: int, phase: str) -> AuthError | ConnectionFailed:
    if code in (AUTHENTICATION_REQUIRED, INVALID_CREDENTIALS):
        return AuthRejected(
            f"the circle refused to sign in ({code}): is this key known there, and the profile the right one?",
            phase=phase,
        )
    if code == INTERNAL_ERROR:
        return ConnectionFailed(f"the circle had an internal error ({code}) while signing in", phase=phase)
    return AuthError(f"the server answered error {code} while signing in; is this a circle?", phase=phase)


def _redacted(error: RpcError, secrets: tuple[str, ...]) -> RpcError:
    """Give the error without what a careless server may have echoed; `data` can hold anything and goes."""
    message = error.message
    for secret in secrets:
        message = re.sub(re.escape(secret), "<hidden>", message, flags=re.IGNORECASE)
    return RpcError(error.code, message)


def _describe(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    return names.get(type(value), "an array" if type(value) is list else "an object")
