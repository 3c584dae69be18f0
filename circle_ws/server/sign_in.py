"""The circle's side of the sign-in: nonces that are used once, and the check of signatures."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..auth.crypto_utils import format_public_key, verify_signature
from ..auth.profiles import PROFILES, bound_statement
from ..errors import InvalidKey

if TYPE_CHECKING:
    from .rules import Rules

__all__ = ["IssuedNonce", "Nonces", "Proof"]

MAX_KEYS = 8
"""How many keys may have a nonce on one connection at the same time."""
_CLIENT_NONCE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class IssuedNonce:
    """Hold a nonce that was given out.

    Attributes:
        value: 64 hex characters from the system's randomness.
        expires_at: In seconds since 1970.
    """

    value: str = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Hold what `authenticate` sent.

    Attributes:
        public_key: Hex, in either form.
        signature: Hex.
        profile: The bound profile that it says it is; None for a legacy signature.
        client_nonce: With a bound profile, 32 hex characters.
        expires_at: With a bound profile, the nonce's expiry, echoed.
        nonce: Where the dialect has it sent again.
    """

    public_key: str
    signature: str = field(repr=False)
    profile: str | None = None
    client_nonce: Any = None
    expires_at: Any = None
    nonce: str | None = field(default=None, repr=False)


class Nonces:
    """Give out nonces on one connection, and take each back at most once.

    Args:
        rules: The circle's.
    """

    __slots__ = ("_issued", "_rules")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._issued: dict[str, IssuedNonce] = {}

    def issue(self, public_key: str, now: float) -> IssuedNonce:
        """Give a nonce to the key; one that it had before is void.

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

        The signature is checked before anything is looked up about the key: how long it takes tells nobody whose
        key is known here.

        Returns:
            The key, compressed, or None when the signature is not to be accepted.
        """
        try:
            key = format_public_key(proof.public_key, compressed=True)
        except InvalidKey:
            return None
        nonce = self._issued.pop(key, None)
        if nonce is None or now >= nonce.expires_at or proof.nonce not in (None, nonce.value):
            return None
        verify = self._verify_legacy if proof.profile is None else self._verify_bound
        return key if verify(key, nonce, proof) and self._rules.lists(key) else None

    def _verify_legacy(self, key: str, nonce: IssuedNonce, proof: Proof) -> bool:
        for profile in self._rules.legacy:
            if verify_signature(key, nonce.value, proof.signature, profile):
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
