"""The circle's side of the sign-in: nonces that are used once, and the check of signatures."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ..auth.crypto_utils import format_public_key, verify_signature
from ..errors import InvalidKey

__all__ = ["IssuedNonce", "Nonces"]

MAX_KEYS = 8
"""How many keys may have a nonce on one connection at the same time."""


@dataclass(frozen=True, slots=True)
class IssuedNonce:
    """Hold a nonce that was given out.

    Attributes:
        value: 64 hex characters from the system's randomness.
        expires_at: In seconds since 1970.
    """

    value: str
    expires_at: float


class Nonces:
    """Give out nonces on one connection, and take each back at most once.

    Args:
        lifetime: How long a nonce is good for, in seconds.
    """

    __slots__ = ("_issued", "_lifetime")

    def __init__(self, lifetime: float) -> None:
        self._lifetime = lifetime
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
        nonce = self._issued[key] = IssuedNonce(secrets.token_hex(32), now + self._lifetime)
        return nonce

    def redeem(self, public_key: str, signature: str, profiles: tuple[str, ...], now: float) -> str | None:
        """Check a signature of the key's nonce, which is void afterwards in any case.

        Returns:
            The key, compressed, or None when the signature is not to be accepted.
        """
        try:
            key = format_public_key(public_key, compressed=True)
        except InvalidKey:
            return None
        nonce = self._issued.pop(key, None)
        if nonce is None or now >= nonce.expires_at:
            return None
        good = any(verify_signature(key, nonce.value, signature, profile) for profile in profiles)
        return key if good else None
