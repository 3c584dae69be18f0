"""What a circle answers before somebody has signed in: the sign-in itself, and the ping."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..errors import InvalidKey, RpcError
from ..jsonrpc.codes import AUTHENTICATION_REQUIRED, INVALID_CREDENTIALS, INVALID_PARAMS
from ..jsonrpc.methods import Method
from .sign_in import Nonces, Proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rules import Admit, Rules

__all__ = ["MAX_FAILURES", "RESERVED", "SIGN_IN", "Entry", "is_bound"]

SIGN_IN = frozenset({"fetch_nonce", "authenticate"})
"""The methods of the sign-in."""
RESERVED = SIGN_IN | {"rpc.ping"}
"""The methods that are the circle's own."""

MAX_FAILURES = 5
"""After so many sign-ins on one connection that failed, or are not decided yet, the next attempt ends it."""


class Entry:
    """The sign-in of one client.

    Args:
        rules: The circle's.
        accept: Is given the key that signed in, 66 hex characters.
        bar: Is told, in words, why the client is not to go on.
    """

    __slots__ = ("_accept", "_bar", "_failures", "_nonces", "_rules")

    def __init__(self, rules: Rules, accept: Callable[[str], None], bar: Callable[[str], object]) -> None:
        self._rules = rules
        self._accept = accept
        self._bar = bar
        self._failures = 0
        self._nonces = Nonces(rules)

    def call(self, name: str, params: Any) -> Any:
        """Call one of `RESERVED`; gives its result, or the coroutine that will.

        Raises:
            RpcError: What the client is to be told.
        """
        if name == "rpc.ping":
            return _PING.call(params)
        if self._failures >= MAX_FAILURES:
            self._bar(f"{MAX_FAILURES} failed sign-ins")
            raise RpcError(AUTHENTICATION_REQUIRED, f"authentication required: {MAX_FAILURES} failed sign-ins")
        if name == "fetch_nonce":
            return self._fetch_nonce(_PUBLIC_KEY.call(params))
        return self._authenticate(params)

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
        # Counted before it is known, and taken back: others may come in while `admit` is asked, or it may raise.
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
        """Sign the key in, which was no failure, or not; gives what the dialect answers."""
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


def is_bound(name: str, params: Any) -> bool:
    """Tell whether this is a bound sign-in: only that names its profile, and it is flat and by name everywhere."""
    return name == "authenticate" and type(params) is dict and "profile" in params


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


def _pubkey(pubkey: str) -> str:
    return pubkey


def _pong() -> str:
    return "pong"


_PING = Method(_pong)
_PUBLIC_KEY = Method(_pubkey)
_PROOFS = {"hero-0.2": Method(_flat), "circles-1.0": Method(_nested), "baobab": Method(_with_nonce)}
