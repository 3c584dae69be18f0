"""Signature profiles: the signed text, the hash function, and the form of signature and key on the wire.

The signed text is the *statement*: the circle's nonce for a legacy profile; for a bound one six lines that also name
the circle, so that the signature is useless for another circle.
"""

from __future__ import annotations

from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..urls import find_fault, place_of, shown
from .backend import keccak_256
from .signature import SignatureEncoding
from .types import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BOUND", "PROFILES", "audience", "bound_statement", "find_profile"]


def _personal_message(statement: bytes) -> bytes:
    # EIP-191 version 0x45 ("personal_sign"); the length counts bytes.
    return b"\x19Ethereum Signed Message:\n" + str(len(statement)).encode() + statement


def _sha256(message: bytes) -> bytes:
    return sha256(message).digest()


_COMPACT, _DER, _RECOVERABLE = SignatureEncoding.COMPACT, SignatureEncoding.DER, SignatureEncoding.RECOVERABLE
_ALL = (
    Profile("eip191", _personal_message, keccak_256, _RECOVERABLE, compressed=False),
    Profile("eip191-v0", _personal_message, keccak_256, _RECOVERABLE, compressed=False, v_offset=0),
    Profile("sha256-compact", bytes, _sha256, _COMPACT, compressed=True, bare=True),
    Profile("sha256-der", bytes, _sha256, _DER, compressed=True, bare=True),
    Profile("circle-bound-v1", bytes, _sha256, _COMPACT, compressed=True, bound=True),
    Profile("circle-bound-eip191-v1", _personal_message, keccak_256, _RECOVERABLE, compressed=True, bound=True),
)

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in _ALL})
"""The built-in profiles, by name."""

BOUND = tuple(profile.name for profile in _ALL if profile.bound)
"""The names of the bound profiles, in order of preference."""


def find_profile(profile: str | Profile) -> Profile:
    """Return the profile of that name; a `Profile` is returned unchanged.

    Raises:
        ConfigError: There is no profile of that name.
    """
    if isinstance(profile, Profile):
        return profile
    found = PROFILES.get(profile) if isinstance(profile, str) else None
    if found is None:
        raise ConfigError(f"profile must be one of {', '.join(PROFILES)}, not {profile!r}", option="profile")
    return found


def audience(url: str) -> str:
    """Return the audience of a circle's URL, as bound profiles sign it.

    Scheme and host in lower case, without a dot at the host's end; IPv6 compressed, in brackets; without the default
    port, query and fragment; the path unchanged, or `/` if it is empty.

    Raises:
        ConfigError: The URL is not one that every runtime dials in the same way (`circle_ws.urls`).
    """
    fault = find_fault(url)
    if fault is not None:
        raise ConfigError(f"a circle's url {shown(url)!r} {fault}", option="url")
    parts = urlsplit(url)
    return f"{parts.scheme}://{place_of(parts)}{parts.path or '/'}"


def bound_statement(
    profile: str, *, audience: str, public_key: str, nonce: str, client_nonce: str, expires_at: int
) -> bytes:
    """Return the six lines that a bound profile signs.

    Args:
        profile: The profile's name, which is the first line.
        audience: The circle, as `audience` returns it.
        public_key: 66 hex characters.
        nonce: The circle's.
        client_nonce: 32 hex characters, fresh every time.
        expires_at: The circle's, in seconds since 1970.
    """
    lines = (
        profile,
        f"audience={audience}",
        f"pubkey={public_key}",
        f"nonce={nonce}",
        f"client_nonce={client_nonce}",
        f"expires_at={expires_at}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")
