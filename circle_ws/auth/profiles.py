"""Signature profiles: what is hashed, how, and what the signature and the key look like on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .keccak import keccak_256

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PROFILES", "Profile", "SignatureEncoding", "find_profile"]


class SignatureEncoding(Enum):
    """Name how r, s and the recovery id become hex."""

    COMPACT = "compact"
    """r, s: 128 hex characters."""
    RECOVERABLE = "recoverable"
    """r, s, v, v being the profile's offset plus the recovery id: 130 hex characters."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Describe one way to sign a nonce. ECDSA over secp256k1, RFC 6979, low-S, is common to all.

    Attributes:
        name: How it is chosen, and what a `Signer` lists in `profiles`.
        message: Makes the bytes that are hashed from the nonce, given as UTF-8.
        digest: Hashes those bytes to 32.
        encoding: The signature on the wire.
        compressed: The public key on the wire: 66 hex characters, or 130.
        v_offset: What is added to the recovery id, for the encoding RECOVERABLE.
        bare: True when the nonce itself is hashed, with nothing before it.
    """

    name: str
    message: Callable[[bytes], bytes]
    digest: Callable[[bytes], bytes]
    encoding: SignatureEncoding
    compressed: bool
    v_offset: int = 27
    bare: bool = False


def _personal_message(nonce: bytes) -> bytes:
    # EIP-191 version 0x45 ("personal_sign"); the length counts bytes.
    return b"\x19Ethereum Signed Message:\n" + str(len(nonce)).encode() + nonce


def _sha256(message: bytes) -> bytes:
    return sha256(message).digest()


def _itself(nonce: bytes) -> bytes:
    return nonce


_ALL = (
    Profile("eip191", _personal_message, keccak_256, SignatureEncoding.RECOVERABLE, compressed=False),
    Profile("sha256-compact", _itself, _sha256, SignatureEncoding.COMPACT, compressed=True, bare=True),
)

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in _ALL})
"""The profiles that are known, by name."""


def find_profile(profile: str | Profile) -> Profile:
    """Give the profile of that name; a `Profile` is given back as it is.

    Raises:
        ConfigError: There is none of that name.
    """
    if isinstance(profile, Profile):
        return profile
    found = PROFILES.get(profile) if isinstance(profile, str) else None
    if found is None:
        raise ConfigError(f"profile must be one of {', '.join(PROFILES)}, not {profile!r}", option="profile")
    return found
