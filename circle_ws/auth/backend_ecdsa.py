"""secp256k1 through python-ecdsa: pure Python, for the browser.

It is not constant-time (CVE-2024-23342), which is why nothing native uses it. It is loaded on first use.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Any

__all__ = ["CONSTANT_TIME", "convert_public_key", "derive_public_key", "recover", "sign", "verify"]

CONSTANT_TIME = False
"""The time of signing depends on the key: an attacker who times many signatures precisely can recover it."""


@cache
def _ecdsa() -> Any:
    import ecdsa  # type: ignore[import-untyped,unused-ignore]

    return ecdsa


def derive_public_key(secret: bytes, *, compressed: bool) -> bytes:
    """Derive the public key, 33 or 65 bytes, of a valid private key."""
    key = _ecdsa().SigningKey.from_string(secret, _ecdsa().SECP256k1)
    return bytes(key.verifying_key.to_string(_form(compressed)))


def convert_public_key(public_key: bytes, *, compressed: bool) -> bytes:
    """Check a public key and return it compressed or uncompressed.

    Raises:
        ValueError: It is not a point of the curve.
    """
    try:
        key = _ecdsa().VerifyingKey.from_string(
            public_key, _ecdsa().SECP256k1, valid_encodings=("compressed", "uncompressed")
        )
    except _ecdsa().errors.MalformedPointError as error:
        raise ValueError(str(error)) from None
    return bytes(key.to_string(_form(compressed)))


def sign(secret: bytes, digest: bytes) -> tuple[bytes, int]:
    """Sign a 32-byte digest: deterministic (RFC 6979), low-S. Return r and s, and the recovery id."""
    ecdsa = _ecdsa()
    key = ecdsa.SigningKey.from_string(secret, ecdsa.SECP256k1)
    signature = bytes(
        key.sign_digest_deterministic(digest, hashfunc=sha256, sigencode=ecdsa.util.sigencode_string_canonize)
    )
    # python-ecdsa does not return the recovery id. It is the one that recovers our own key, which also verifies the
    # signature before it is sent.
    own = bytes(key.verifying_key.to_string("uncompressed"))
    return signature, next(id for id in (0, 1) if recover(digest, signature, id) == own)


def verify(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Return whether r and s are this key's low-S signature of the digest. The key must be valid."""
    ecdsa = _ecdsa()
    if int.from_bytes(signature[32:], "big") > ecdsa.SECP256k1.order // 2:
        return False
    key = ecdsa.VerifyingKey.from_string(public_key, ecdsa.SECP256k1)
    try:
        return bool(key.verify_digest(signature, digest))
    except (ecdsa.BadSignatureError, TypeError):
        # TypeError: some signatures lead to the point at infinity, whose x is None in python-ecdsa.
        return False


def recover(digest: bytes, signature: bytes, recovery_id: int) -> bytes | None:
    """Recover the public key, 65 bytes, that signed the digest; return None if there is none."""
    # Ids 2 and 3 mean r + n, which occurs once in 2^128 signatures, so never for an honest signer.
    if recovery_id not in (0, 1):
        return None
    ecdsa = _ecdsa()
    order, generator = ecdsa.SECP256k1.order, ecdsa.SECP256k1.generator
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < order and 0 < s < order):
        return None
    try:
        # R has the x coordinate r, and the recovery id is the parity of its y.
        point = ecdsa.ellipticcurve.PointJacobi.from_bytes(
            ecdsa.SECP256k1.curve, bytes([2 + recovery_id]) + signature[:32], order=order
        )
    except ecdsa.errors.MalformedPointError:
        return None
    # SEC 1, section 4.1.6: Q = (s R - e G) / r. python-ecdsa's own recovery fails where one Q is the point at infinity.
    inverse = pow(r, -1, order)
    key = generator.mul_add(-int.from_bytes(digest, "big") * inverse % order, point, s * inverse % order)
    if key == ecdsa.ellipticcurve.INFINITY:
        return None
    return bytes(key.to_bytes("uncompressed"))


def _form(compressed: bool) -> str:
    return "compressed" if compressed else "uncompressed"
