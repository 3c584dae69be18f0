"""secp256k1 through coincurve (libsecp256k1): fast, constant-time, native only."""

from __future__ import annotations

import coincurve
from coincurve.ecdsa import cdata_to_der, deserialize_compact

__all__ = ["CONSTANT_TIME", "convert_public_key", "derive_public_key", "recover", "sign", "verify"]

CONSTANT_TIME = True
"""The time of signing does not depend on the key."""


class _Signing(coincurve.PrivateKey):
    """A private key that only signs.

    `coincurve.PrivateKey` also derives and keeps two public keys, which takes longer than a signature.
    """

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.context = coincurve.GLOBAL_CONTEXT


def derive_public_key(secret: bytes, *, compressed: bool) -> bytes:
    """Derive the public key, 33 or 65 bytes, of a valid private key."""
    return coincurve.PublicKey.from_valid_secret(secret).format(compressed=compressed)


def convert_public_key(public_key: bytes, *, compressed: bool) -> bytes:
    """Check a public key and return it compressed or uncompressed.

    Raises:
        ValueError: It is not a point of the curve.
    """
    # libsecp256k1 also accepts the hybrid form of X9.62 (06, 07), which no circle and no other backend accepts.
    if public_key[:1] not in (b"\x02", b"\x03", b"\x04"):
        raise ValueError("a public key begins with 02, 03 or 04")
    return coincurve.PublicKey(public_key).format(compressed=compressed)


def sign(secret: bytes, digest: bytes) -> tuple[bytes, int]:
    """Sign a 32-byte digest: deterministic (RFC 6979), low-S. Return r and s, and the recovery id."""
    # Without hasher=None coincurve would hash the digest once more.
    signature = _Signing(secret).sign_recoverable(digest, hasher=None)
    return signature[:64], signature[64]


def verify(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Return whether r and s are this key's low-S signature of the digest. The key must be valid."""
    try:
        der = cdata_to_der(deserialize_compact(signature))
    except ValueError:
        return False
    return coincurve.PublicKey(public_key).verify(der, digest, hasher=None)


def recover(digest: bytes, signature: bytes, recovery_id: int) -> bytes | None:
    """Recover the public key, 65 bytes, that signed the digest; return None if there is none."""
    try:
        key = coincurve.PublicKey.from_signature_and_message(signature + bytes([recovery_id]), digest, hasher=None)
    except ValueError:
        return None
    return key.format(compressed=False)
