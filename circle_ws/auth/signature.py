"""Signatures as bytes: compact, recoverable and strict DER. r and s are 32 bytes each, big-endian."""

from __future__ import annotations

from enum import Enum

__all__ = ["HALF_ORDER", "ORDER", "SignatureEncoding", "decode", "encode"]

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order n of secp256k1 (SEC 2, section 2.4.1)."""
HALF_ORDER = ORDER // 2
"""A signature with s above it is a malleated form of another one, and is refused (low-S)."""


class SignatureEncoding(Enum):
    """Encodings of r, s and the recovery id as bytes."""

    COMPACT = "compact"
    """r, s: 64 bytes, 128 hex characters."""
    RECOVERABLE = "recoverable"
    """r, s, v, v being the profile's offset plus the recovery id: 65 bytes, 130 hex characters."""
    DER = "der"
    """The strict DER of SEC 1 appendix C.5 (a SEQUENCE of two INTEGERs): 8 to 72 bytes."""


def encode(encoding: SignatureEncoding, signature: bytes, v: int) -> bytes:
    """Return r and s (64 bytes) in an encoding; `v` is used by RECOVERABLE only."""
    if encoding is SignatureEncoding.RECOVERABLE:
        return signature + bytes([v])
    if encoding is SignatureEncoding.DER:
        body = _der_integer(signature[:32]) + _der_integer(signature[32:])
        return b"\x30" + bytes([len(body)]) + body
    return signature


def decode(encoding: SignatureEncoding, raw: bytes) -> tuple[bytes, int | None]:
    """Return r and s (64 bytes), and v if the encoding has it.

    Raises:
        ValueError: It is not exactly one low-S signature in this encoding.
    """
    v = None
    if encoding is SignatureEncoding.DER:
        signature = _from_der(raw)
    elif encoding is SignatureEncoding.RECOVERABLE and len(raw) == 65:
        signature, v = raw[:64], raw[64]
    elif encoding is SignatureEncoding.COMPACT and len(raw) == 64:
        signature = raw
    else:
        raise ValueError(f"{len(raw)} bytes are no signature in the encoding {encoding.value!r}")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < ORDER and 0 < s <= HALF_ORDER):
        raise ValueError("r or s is out of range, or s is above half of the order")
    return signature, v


def _der_integer(number: bytes) -> bytes:
    digits = number.lstrip(b"\x00") or b"\x00"
    digits = b"\x00" + digits if digits[0] & 0x80 else digits
    return b"\x02" + bytes([len(digits)]) + digits


def _from_der(raw: bytes) -> bytes:
    if len(raw) < 2 or raw[0] != 0x30 or raw[1] != len(raw) - 2 or raw[1] & 0x80:
        raise ValueError("this is no DER sequence")
    r, rest = _read_der_integer(raw[2:])
    s, rest = _read_der_integer(rest)
    if rest:
        raise ValueError("something follows the signature")
    return r + s


def _read_der_integer(raw: bytes) -> tuple[bytes, bytes]:
    if len(raw) < 3 or raw[0] != 0x02 or not 0 < raw[1] <= 33 or len(raw) < 2 + raw[1]:
        raise ValueError("this is no DER integer of up to 32 bytes")
    digits, rest = raw[2 : 2 + raw[1]], raw[2 + raw[1] :]
    if digits[0] & 0x80 or (len(digits) > 1 and digits[0] == 0 and not digits[1] & 0x80):
        raise ValueError("a DER integer is negative or not as short as it can be")
    if len(digits) == 33 and digits[0] != 0:
        raise ValueError("a DER integer has more than 32 bytes")
    return digits[-32:].rjust(32, b"\x00"), rest
