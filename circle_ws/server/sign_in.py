"""The circle's side of the sign-in: nonces that are used once, the check of signatures, the forms of the dialects."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..auth.crypto_utils import format_public_key, verify_signature
from ..auth.profiles import BOUND, PROFILES, bound_statement
from ..errors import InvalidKey, RpcError
from ..jsonrpc.messages import AUTHENTICATION_REQUIRED, INVALID_CREDENTIALS, INVALID_PARAMS
from ..jsonrpc.methods import Method

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rules import Admit, Rules

__all__ = ["MAX_FAILURES", "RESERVED", "SIGN_IN", "IssuedNonce", "Nonces", "Proof", "SignIn", "is_bound"]

SIGN_IN = frozenset({"fetch_nonce", "authenticate"})
"""The methods of the sign-in."""
RESERVED = SIGN_IN | {"rpc.ping"}
"""The methods that are the circle's own; they are answered before the sign-in too."""

MAX_FAILURES = 5
"""Maximum number of sign-ins on one connection that failed or are undecided; the next attempt ends it."""
MAX_KEYS = 8
"""Maximum number of keys that have a nonce on one connection at the same time."""
_CLIENT_NONCE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class IssuedNonce:
    """A nonce that was given out.

    Attributes:
        value: 64 hex characters from the system's randomness.
        expires_at: In seconds since 1970.
    """

    value: str = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True)
class Proof:
    """The params of `authenticate`.

    Attributes:
        public_key: Hex, in either form.
        signature: Hex.
        profile: The bound profile that it claims; None for a legacy signature.
        client_nonce: With a bound profile, 32 hex characters.
        expires_at: With a bound profile, the nonce's expiry, echoed.
        nonce: The nonce, where the dialect has it sent again.
    """

    public_key: str
    signature: str = field(repr=False)
    profile: str | None = None
    client_nonce: Any = None
    expires_at: Any = None
    nonce: str | None = field(default=None, repr=False)


class SignIn:
    """The sign-in of one client.

    Args:
        rules: The circle's.
        accept: Called with the key that signed in, 66 hex characters.
        reject: Called with the reason when the client must be disconnected.
    """

    __slots__ = ("_accept", "_failures", "_nonces", "_reject", "_rules")

    def __init__(self, rules: Rules, accept: Callable[[str], None], reject: Callable[[str], object]) -> None:
        self._rules = rules
        self._accept = accept
        self._reject = reject
        self._failures = 0
        self._nonces = Nonces(rules)

    def call(self, name: str, params: Any) -> Any:
        """Call one of the methods in `RESERVED`; returns its result, or the coroutine that will.

        Raises:
            RpcError: The error for the client.
        """
        if name == "rpc.ping":
            return _PING.call(params)
        if self._failures >= MAX_FAILURES:
            self._reject(f"{MAX_FAILURES} failed sign-ins")
            raise RpcError(AUTHENTICATION_REQUIRED, f"authentication required: {MAX_FAILURES} failed sign-ins")
        return self._authenticate(params) if name == "authenticate" else self._fetch_nonce(_PUBKEY.call(params))

    def _fetch_nonce(self, pubkey: str) -> Any:
        try:
            nonce = self._nonces.issue(pubkey, time.time())
        except InvalidKey as error:
            raise RpcError(INVALID_PARAMS, f"invalid params: pubkey: {error}") from None
        if self._rules.offered:
            return {"nonce": nonce.value, "expires_at": nonce.expires_at, "auth_profiles": self._rules.offered}
        if self._rules.dialect == "circles-1.0":
            return {"nonce": nonce.value, "expires_at": nonce.expires_at}
        return nonce.value

    def _authenticate(self, params: Any) -> Any:
        dialect = "hero-0.2" if is_bound("authenticate", params) else self._rules.dialect
        proof = _PROOFS[dialect].call(params)
        key = self._nonces.redeem(proof, time.time())
        # Counted as a failure until decided: more sign-ins may arrive while `admit` runs, and it may raise.
        self._failures += 1
        if key is None or self._rules.admit is None:
            return self._settle(proof, key, dialect)
        return self._ask(self._rules.admit, proof, key, dialect)

    async def _ask(self, admit: Admit, proof: Proof, key: str, dialect: str) -> Any:
        admitted = await admit(key)
        if type(admitted) is not bool:
            raise TypeError(f"admit answers True or False, not {type(admitted).__name__}")
        return self._settle(proof, key if admitted else None, dialect)

    def _settle(self, proof: Proof, key: str | None, dialect: str) -> Any:
        """Sign the key in, unless it is None; returns what the dialect answers."""
        if key is not None:
            self._failures -= 1
            if proof.profile is not None:
                self._rules.signed_bound.add(key)
            self._accept(key)
        if dialect != "circles-1.0":
            return key is not None
        if key is None:
            raise RpcError(INVALID_CREDENTIALS, "invalid credentials")
        return {"authenticated": True}


class Nonces:
    """The nonces given out on one connection; each is accepted back at most once.

    Args:
        rules: The circle's.
    """

    __slots__ = ("_issued", "_rules")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._issued: dict[str, IssuedNonce] = {}

    def issue(self, public_key: str, now: float) -> IssuedNonce:
        """Return a new nonce for a key; the one that it had before is void.

        Raises:
            InvalidKey: It is no public key.
        """
        key = format_public_key(public_key, compressed=True)
        self._issued.pop(key, None)
        while len(self._issued) >= MAX_KEYS:
            del self._issued[next(iter(self._issued))]
        nonce = self._issued[key] = IssuedNonce(secrets.token_hex(32), int(now + self._rules.nonce_lifetime))
        return nonce

    def redeem(self, proof: Proof, now: float) -> str | None:
        """Check a signature of the key's nonce, which is void afterwards in any case.

        The signature is checked before anything is looked up about the key: the time that it takes must not reveal
        whose keys are known here.

        Returns:
            The key, compressed, or None when the signature is not accepted.
        """
        try:
            key = format_public_key(proof.public_key, compressed=True)
        except InvalidKey:
            return None
        nonce = self._issued.pop(key, None)
        if nonce is None or now >= nonce.expires_at or proof.nonce not in (None, nonce.value):
            return None
        verify = self._verify_legacy if proof.profile is None else self._verify_bound
        is_listed = self._rules.keys is None or key in self._rules.keys
        return key if verify(key, nonce, proof) and is_listed else None

    def _verify_legacy(self, key: str, nonce: IssuedNonce, proof: Proof) -> bool:
        for profile in self._rules.profiles:
            if profile not in BOUND and verify_signature(key, nonce.value, proof.signature, profile):
                # A client that can sign bound does: a bare signature of such a key was relayed by a circle that
                # stripped the offer.
                return key not in self._rules.signed_bound
        return False

    def _verify_bound(self, key: str, nonce: IssuedNonce, proof: Proof) -> bool:
        rules = self._rules
        if rules.audience is None or proof.profile is None or proof.profile not in rules.offered:
            return False
        if proof.expires_at != nonce.expires_at:
            return False
        if type(proof.client_nonce) is not str or _CLIENT_NONCE.fullmatch(proof.client_nonce) is None:
            return False
        profile = PROFILES[proof.profile]
        # Rebuilt from what this circle knows itself; only the client's own nonce is the client's.
        statement = bound_statement(
            profile.name,
            audience=rules.audience,
            public_key=format_public_key(key, compressed=profile.compressed),
            nonce=nonce.value,
            client_nonce=proof.client_nonce,
            expires_at=nonce.expires_at,
        )
        return verify_signature(key, statement, proof.signature, profile)


def is_bound(name: str, params: Any) -> bool:
    """Return whether this is a bound sign-in: only that names its profile; it is flat and by name in every dialect."""
    return name == "authenticate" and type(params) is dict and "profile" in params


def _pong() -> str:
    return "pong"


def _pubkey(pubkey: str) -> str:
    return pubkey


def _flat(
    pubkey: str, signature: str, profile: str | None = None, client_nonce: Any = None, expires_at: Any = None
) -> Proof:
    return Proof(pubkey, signature, profile, client_nonce, expires_at)


def _nested(credentials: dict[str, str]) -> Proof:
    if set(credentials) != {"pubkey", "signature"}:
        raise RpcError(INVALID_PARAMS, "invalid params: credentials: an object with pubkey and signature")
    return _flat(**credentials)


def _with_nonce(pubkey: str, signature: str, nonce: str) -> Proof:
    return Proof(pubkey, signature, nonce=nonce)


_PING = Method(_pong)
_PUBKEY = Method(_pubkey)
_PROOFS = {"hero-0.2": Method(_flat), "circles-1.0": Method(_nested), "baobab": Method(_with_nonce)}
