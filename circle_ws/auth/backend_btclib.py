"""secp256k1 through btclib-secp256k1 (libsecp256k1): fast, constant-time, native only.

It has wheels for the versions of Python without wheels of coincurve.
"""

from __future__ import annotations

from btclib_secp256k1 import dsa, keys, recovery

__all__ = ["CONSTANT_TIME", "convert_public_key", "derive_public_key", "recover", "sign", "verify"]

CONSTANT_TIME = True
"""The time of signing does not depend on the key."""


def derive_public_key(secret: bytes, *, compressed: bool) -> bytes:
    """Derive the public key, 33 or 65 bytes, of a valid private key."""
    return keys.pubkey_from_prvkey(secret, compressed)


def convert_public_key(public_key: bytes, *, compressed: bool) -> bytes:
    """Check a public key and return it compressed or uncompressed.

    Raises:
        ValueError: It is not a point of the curve.
    """
    # libsecp256k1 also accepts the hybrid form of X9.62 (06, 07), which no circle and no other backend accepts.
    if public_key[:1] not in (b"\x02", b"\x03", b"\x04"):
        raise ValueError("a public key begins with 02, 03 or 04")
    return keys.reserialize(public_key, compressed)


def sign(secret: bytes, digest: bytes) -> tuple[bytes, int]:
    """Sign a 32-byte digest: deterministic (RFC 6979), low-S. Return r and s, and the recovery id."""
    # The library verifies by recovery before it returns the signature, so a hardware fault yields no faulty signature.
    return recovery.sign(digest, secret)


def verify(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Return whether r and s are this key's low-S signature of the digest. The key must be valid."""
    try:
        return dsa.verify(digest, public_key, signature, compact=True)
    except ValueError:
        return False


def recover(digest: bytes, signature: bytes, recovery_id: int) -> bytes | None:
    """Recover the public key, 65 bytes, that signed the digest; return None if there is none."""
    try:
        return recovery.recover(digest, signature, recovery_id, compressed=False)
    except ValueError:
        return None
