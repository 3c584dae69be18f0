"""Functions for keys and signatures as hex. The curve is secp256k1."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, InvalidKey
from ..text import Hidden
from . import backend
from .profiles import find_profile
from .signature import ORDER, decode, encode

if TYPE_CHECKING:
    from .types import Profile

__all__ = [
    "derive_public_key",
    "format_public_key",
    "generate_private_key",
    "parse_private_key",
    "recover_public_key",
    "sign_digest",
    "sign_message",
    "verify_signature",
]

_HEX = r"(?:0[xX])?((?:[0-9a-fA-F]{2})*)"


def generate_private_key() -> str:
    """Return a new private key from the system's randomness: 64 lower-case hex characters."""
    while True:
        secret = os.urandom(32)
        if 0 < int.from_bytes(secret, "big") < ORDER:
            return secret.hex()


def parse_private_key(text: str | bytes) -> bytes:
    """Read a private key.

    Args:
        text: 64 hex characters, in upper or lower case, with or without `0x`; or the 32 bytes themselves.

    Returns:
        32 bytes, big-endian.

    Raises:
        InvalidKey: It is not a private key; the message does not contain it.
    """
    given = Hidden(text)
    del text
    secret, fault = _read_private_key(given.value)
    if fault:
        raise InvalidKey(fault)
    return secret


def _read_private_key(text: Any) -> tuple[bytes, str]:
    """Return the 32 bytes, or the fault. It raises nothing, because its frame holds the key."""
    form = "a private key is 64 hex characters or 32 bytes"
    if isinstance(text, str):
        digits = text.strip()
        digits = digits[2:] if digits[:2] in ("0x", "0X") else digits
        if len(digits) != 64 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            return b"", f"{form}; this text has {len(digits)} characters"
        secret = bytes.fromhex(digits)
    elif isinstance(text, bytes | bytearray | memoryview):
        secret = bytes(text)
        if len(secret) != 32:
            return b"", f"{form}; these are {len(secret)} bytes"
    else:
        return b"", f"{form}, not {type(text).__name__}"
    if not 0 < int.from_bytes(secret, "big") < ORDER:
        return b"", "the private key is zero or not below the order of secp256k1; make one with `circle-ws keygen`"
    return secret, ""


def derive_public_key(private_key: str | bytes, *, compressed: bool = False) -> str:
    """Derive the public key: 130 lower-case hex characters, or 66 when `compressed`.

    Raises:
        InvalidKey: It is not a private key.
    """
    given = Hidden(private_key)
    del private_key
    return backend.derive_public_key(parse_private_key(given.value), compressed=compressed).hex()


def format_public_key(public_key: str, *, compressed: bool) -> str:
    """Check a public key and return it as 66 (compressed) or 130 lower-case hex characters.

    Raises:
        InvalidKey: It is not a public key of secp256k1.
    """
    given = Hidden(public_key)
    del public_key
    with suppress(ValueError, TypeError):
        return backend.convert_public_key(_read_hex(given.value), compressed=compressed).hex()
    # Raised outside of the handler: the frames of the cause hold the text, which may be a private key by mistake.
    raise InvalidKey(
        "a public key is 66 (compressed) or 130 (uncompressed) hex characters that name a point of secp256k1"
    )


def sign_message(private_key: str | bytes, message: str | bytes, profile: str | Profile = "eip191") -> str:
    """Sign a message in a profile.

    Args:
        private_key: 64 hex characters or 32 bytes.
        message: The statement: a nonce, or the six lines of a bound profile. A str is taken as UTF-8.
        profile: A `Profile` or its name.

    Returns:
        The signature as lower-case hex, in the profile's encoding.

    Raises:
        InvalidKey: It is not a private key.
        ConfigError: There is no such profile.
    """
    given = Hidden((private_key, message))
    del private_key, message
    chosen = find_profile(profile)
    digest = chosen.digest(chosen.message(_bytes(given.value[1])))
    return sign_digest(parse_private_key(given.value[0]), digest, chosen)


def sign_digest(secret: bytes, digest: bytes, profile: Profile) -> str:
    """Sign a 32-byte digest; return lower-case hex in the profile's encoding."""
    given = Hidden(secret)
    del secret
    if len(digest) != 32 or not 0 <= profile.v_offset <= 252:
        raise ConfigError(
            f"profile {profile.name!r} needs a digest of 32 bytes, not {len(digest)}, and a v_offset from 0 to 252, "
            f"not {profile.v_offset}",
            option="profile",
        )
    signature, recovery_id = backend.sign(given.value, digest)
    return encode(profile.encoding, signature, profile.v_offset + recovery_id).hex()


def verify_signature(public_key: str, message: str | bytes, signature: str, profile: str | Profile = "eip191") -> bool:
    """Return whether `signature` is this key's low-S signature of `message` in the profile.

    Args:
        public_key: Hex, compressed or not.
        message: The signed message; a str is taken as UTF-8.
        signature: Hex, in the profile's encoding.
        profile: A `Profile` or its name.

    Raises:
        ConfigError: There is no such profile. A bad key or signature is False, never an exception.
    """
    given = Hidden((message, signature))
    del message, signature
    chosen = find_profile(profile)
    try:
        key = bytes.fromhex(format_public_key(public_key, compressed=False))
        pair, v = decode(chosen.encoding, _read_hex(given.value[1]))
    except (ValueError, TypeError):
        return False
    digest = chosen.digest(chosen.message(_bytes(given.value[0])))
    if v is None:
        return backend.verify(key, digest, pair)
    recovery_id = v - chosen.v_offset
    return recovery_id in (0, 1) and backend.recover(digest, pair, recovery_id) == key


def recover_public_key(message: str | bytes, signature: str, profile: str | Profile = "eip191") -> str:
    """Return the public key, 130 hex characters, that signed a message in a profile whose encoding has v.

    Raises:
        ValueError: It is not a low-S signature in this encoding, or no key can have made it.
    """
    given = Hidden((message, signature))
    del message, signature
    key = _recover(*given.value, find_profile(profile))
    if key is None:
        raise ValueError("no public key can be recovered: this is no low-S signature in the profile's encoding")
    return key.hex()


def _recover(message: str | bytes, signature: str, profile: Profile) -> bytes | None:
    """Return the key, or None. It raises nothing, because its frame holds the signature."""
    try:
        pair, v = decode(profile.encoding, _read_hex(signature))
    except (ValueError, TypeError):
        return None
    digest = profile.digest(profile.message(_bytes(message)))
    return None if v is None else backend.recover(digest, pair, v - profile.v_offset)


def _read_hex(text: str) -> bytes:
    # `bytes.fromhex` alone would accept white space.
    digits = re.fullmatch(_HEX, text)
    if digits is None:
        raise ValueError("this is not hexadecimal")
    return bytes.fromhex(digits[1])


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message
