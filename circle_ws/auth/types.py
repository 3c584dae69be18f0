"""The values of the sign-in, and the protocol of signers."""

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
"""The published form of `authenticate`; `auto` detects it."""

ParamsForm = Literal["auto", "named", "positional"]
"""Whether the circle's own methods take params by name or by position; `auto` detects it."""

Policy = Literal["prefer-bound", "require-bound", "legacy-only"]
"""Whether a signature names the circle: if the circle offers it, always, or never."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A signature profile. ECDSA over secp256k1, RFC 6979, low-S, is common to all of them.

    Attributes:
        name: Its name in options, and in the `profiles` of a `Signer`.
        message: Function from the statement, as UTF-8, to the bytes that are hashed.
        digest: Hash function of those bytes, with 32 bytes of output.
        encoding: Encoding of the signature on the wire.
        compressed: Whether the public key on the wire is compressed: 66 hex characters, or else 130.
        v_offset: Offset of the recovery id, for the encoding RECOVERABLE.
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
    """The credentials that `authenticate` sends. Their `repr` does not show the signature.

    Attributes:
        public_key: Lower-case hex, 66 (compressed) or 130 (uncompressed) characters.
        signature: Lower-case hex, in the encoding of the profile.
    """

    public_key: str
    signature: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Nonce:
    """A nonce that matched the grammar. Its `repr` does not show the value.

    Attributes:
        value: 8 to 256 characters of `A-Z a-z 0-9 _ - + / = :`.
        expires_at: Time at which the nonce expires, in seconds since 1970, or None if the circle did not say.
        profiles: The bound profiles that the circle offers.
    """

    value: str = field(repr=False)
    expires_at: int | None = None
    profiles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Challenge:
    """The request to a signer. Its `repr` shows neither the nonce nor the message.

    Attributes:
        profile: The name of the signature profile.
        url: The circle, as it was dialled, without a query, which may hold a token.
        nonce: The circle's nonce.
        statement: The text to agree to, which a user may be shown: the nonce, or the six lines of a bound profile.
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
    """A signer for a client, which then never sees the key: a KMS, a hardware key, a wallet.

    It is called once for each sign-in, so after each reconnect too. Any exception becomes `SignerFailed`.

    It may also have `watch_account(gone)`, which is called with each connection and returns a function that ends it:
    `gone(SignerFailed(...))` then ends the client, as its account is no longer the signer's.
    """

    @property
    def profiles(self) -> frozenset[str]:
        """The names of the signature profiles that it can sign."""
        ...

    async def public_key(self) -> str:
        """Return the public key: hex, compressed (66 characters) or not (130)."""
        ...

    async def sign(self, challenge: Challenge) -> str:
        """Sign the challenge; return the signature as hex in the encoding of `challenge.profile`."""
        ...
