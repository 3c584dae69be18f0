"""Keccak-256 through pycryptodome: compiled, native only."""

from __future__ import annotations

from Crypto.Hash import keccak

__all__ = ["keccak_256"]


def keccak_256(data: bytes) -> bytes:
    """Hash `data` with Keccak-256 as Ethereum uses it; the digest has 32 bytes."""
    return keccak.new(data=data, digest_bits=256).digest()
