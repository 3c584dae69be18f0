"""What a circle answers before somebody has signed in: the sign-in itself, and the ping."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..errors import InvalidKey, RpcError
from ..jsonrpc.codes import INVALID_CREDENTIALS, INVALID_PARAMS
from ..jsonrpc.methods import Method
from .sign_in import Nonces, Proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rules import Rules

__all__ = ["RESERVED", "SIGN_IN", "Entry", "is_bound"]

SIGN_IN = frozenset({"fetch_nonce", "authenticate"})
"""The methods of the sign-in."""
RESERVED = SIGN_IN | {"rpc.ping"}
"""The methods that are the circle's own."""


class Entry:
    """Sign one client in.

    Args:
        rules: The circle's.
        admit: Is given the key that signed in, 66 hex characters.
    """

    __slots__ = ("_admit", "_nonces", "_rules")

    def __init__(self, rules: Rules, admit: Callable[[str], None]) -> None:
        self._rules = rules
        self._admit = admit
        self._nonces = Nonces(rules)

    def call(self, name: str, params: Any) -> Any:
        """Call one of `RESERVED`.

        Raises:
            RpcError: What the client is to be told.
        """
        if name == "rpc.ping":
            return _PING.call(params)
        return Method.of(self._fetch_nonce if name == "fetch_nonce" else self._form_of(params)).call(params)

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

    def _form_of(self, params: Any) -> Callable[..., Any]:
        if is_bound("authenticate", params):
            return self._flat
        return {"circles-1.0": self._nested, "baobab": self._with_nonce}.get(self._rules.dialect, self._flat)

    def _nested(self, credentials: Any) -> dict[str, bool]:
        if type(credentials) is not dict or set(credentials) != {"pubkey", "signature"}:
            raise RpcError(INVALID_PARAMS, "invalid params: credentials: an object with pubkey and signature")
        if not self._flat(**credentials):
            raise RpcError(INVALID_CREDENTIALS, "invalid credentials")
        return {"authenticated": True}

    def _flat(
        self, pubkey: Any, signature: Any, profile: Any = None, client_nonce: Any = None, expires_at: Any = None
    ) -> bool:
        if type(pubkey) is not str or type(signature) is not str or type(profile) not in (str, type(None)):
            raise RpcError(INVALID_PARAMS, "invalid params: pubkey, signature and profile are strings")
        return self._prove(Proof(pubkey, signature, profile, client_nonce, expires_at))

    def _with_nonce(self, pubkey: Any, signature: Any, nonce: Any) -> bool:
        if not type(pubkey) is type(signature) is type(nonce) is str:
            raise RpcError(INVALID_PARAMS, "invalid params: pubkey, signature and nonce are strings")
        return self._prove(Proof(pubkey, signature, nonce=nonce))

    def _prove(self, proof: Proof) -> bool:
        key = self._nonces.redeem(proof, time.time())
        if key is None:
            return False
        self._admit(key)
        return True


def is_bound(name: str, params: Any) -> bool:
    """Tell whether this is a bound sign-in: only that names its profile, and it is flat and by name everywhere."""
    return name == "authenticate" and type(params) is dict and "profile" in params


def _pong() -> str:
    return "pong"


_PING = Method.of(_pong)
