"""The sign-in as a generator: it yields what to do and is sent the answers, so it does no I/O.

`fetch_nonce` -> sign -> `authenticate`. The driver asks the circle and the signer; an `RpcError` of the circle's is
thrown into the generator.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import AuthError, AuthRejected, ConnectionFailed, RpcError
from .nonce import read_nonce
from .types import AuthCredentials, Challenge, Dialect

if TYPE_CHECKING:
    from .profiles import Profile

__all__ = ["Ask", "Sign", "SignIn", "Step", "sign_in"]

AUTHENTICATION_REQUIRED = -32001
INVALID_CREDENTIALS = -32002
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


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
    """

    challenge: Challenge
    phase: str = "sign"


Step: TypeAlias = Ask | Sign
SignIn: TypeAlias = Generator[Step, Any, None]


def sign_in(*, url: str, public_key: str, profile: Profile, dialect: Dialect) -> SignIn:
    """Sign in once.

    Args:
        url: The circle, as it was dialled.
        public_key: Hex, in the profile's form.
        profile: How the nonce is signed.
        dialect: Which form of `authenticate` is sent; `auto` finds it out.

    Raises:
        InvalidNonce: The circle's nonce must not be signed.
        AuthRejected: The circle refused the key or the signature.
        AuthError: The server is no circle, or answered what no circle answers.
        ConnectionFailed: The circle had an internal error; another attempt may work.
    """
    answer = yield from _asked(Ask("nonce", "fetch_nonce", {"pubkey": public_key}))
    nonce = read_nonce(answer, hashed_bare=profile.bare)
    message = profile.message(nonce.value.encode())
    signature = yield Sign(Challenge(profile.name, url, nonce.value, message, profile.digest(message)))
    credentials = AuthCredentials(public_key, signature)
    plain_object = type(answer) is dict and "auth_profiles" not in answer
    nested = dialect == "circles-1.0" or (dialect == "auto" and plain_object)
    result = yield from _asked(
        _authenticate(credentials, nested=nested),
        # The same signature in the other published form, so a hostile server gains nothing by asking for it.
        otherwise=_authenticate(credentials, nested=not nested) if dialect == "auto" else None,
        secrets=(nonce.value, signature),
    )
    _check_result(result)


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
