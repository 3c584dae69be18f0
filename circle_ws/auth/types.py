"""The values that signing in is made of, and the protocol of whoever signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from ..errors import AuthError, AuthRejected, DowngradeDetected, InvalidKey, InvalidNonce, SignerFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .signature import SignatureEncoding

__all__ = [
    "AuthCredentials",
    "AuthError",
    "AuthRejected",
    "Challenge",
    "Dialect",
    "DowngradeDetected",
    "InvalidKey",
    "InvalidNonce",
    "Nonce",
    "ParamsForm",
    "Policy",
    "Profile",
    "Signer",
    "SignerFailed",
]

Dialect = Literal["auto", "hero-0.2", "circles-1.0", "baobab"]
"""Which published form of `authenticate` is spoken; `auto` finds it out."""

ParamsForm = Literal["auto", "named", "positional"]
"""Whether the circle's own methods get their params by name or by position; `auto` finds it out."""

Policy = Literal["prefer-bound", "require-bound", "legacy-only"]
"""Whether a signature names the circle it is for: where the circle offers that, always, or never."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Describe one way to sign in. ECDSA over secp256k1, RFC 6979, low-S, is common to all.

    Attributes:
        name: How it is chosen, and what a `Signer` lists in `profiles`.
        message: Makes the bytes that are hashed from the statement, given as UTF-8.
        digest: Hashes those bytes to 32.
        encoding: The signature on the wire.
        compressed: The public key on the wire: 66 hex characters, or 130.
        v_offset: What is added to the recovery id, for the encoding RECOVERABLE.
        bare: True when the nonce itself is hashed, with nothing before it.
        bound: True when the statement names the circle.
    """

    name: str
    message: Callable[[bytes], bytes]
    digest: Callable[[bytes], bytes]
    encoding: SignatureEncoding
    compressed: bool
    v_offset: int = 27
    bare: bool = False
    bound: bool = False


@dataclass(frozen=True, slots=True)
class AuthCredentials:
    """Hold what `authenticate` sends. Its `repr` does not show the signature.

    Attributes:
        public_key: Lower-case hex, 66 (compressed) or 130 (uncompressed) characters.
        signature: Lower-case hex, in the encoding of the profile.
    """

    public_key: str
    signature: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Nonce:
    """Hold a nonce that passed the grammar. Its `repr` does not show the value.

    Attributes:
        value: 8 to 256 characters of `A-Z a-z 0-9 _ - + / = :`.
        expires_at: When the circle forgets it, in seconds since 1970, or None when it did not say.
        profiles: The bound profiles that the circle offers.
    """

    value: str = field(repr=False)
    expires_at: int | None = None
    profiles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Challenge:
    """Hold what a signer is asked to sign. Its `repr` shows neither the nonce nor the message.

    Attributes:
        profile: The name of the signature profile.
        url: The circle, as it was dialled.
        nonce: The circle's nonce.
        statement: What is agreed to: the nonce, or the six lines of a bound profile; what a person may be shown.
        message: The exact bytes before hashing; for `eip191` the statement with the Ethereum prefix.
        digest: The 32 bytes that are signed.
    """

    profile: str
    url: str
    nonce: str = field(repr=False)
    statement: bytes = field(repr=False)
    message: bytes = field(repr=False)
    digest: bytes = field(repr=False)


class Signer(Protocol):
    """Sign for a client, which then never sees the key: a KMS, a hardware key, a wallet.

    It is asked once for each sign-in, so after each reconnect too. Whatever it raises becomes `SignerFailed`.
    """

    @property
    def profiles(self) -> frozenset[str]:
        """The names of the signature profiles that it can sign."""
        ...

    async def public_key(self) -> str:
        """Give the public key: hex, compressed (66 characters) or not (130)."""
        ...

    async def sign(self, challenge: Challenge) -> str:
        """Sign the challenge; give the signature as hex in the encoding of `challenge.profile`."""
        ...
