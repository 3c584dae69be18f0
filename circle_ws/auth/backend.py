"""The choice of the signing library: libsecp256k1 natively, pure-Python ecdsa in the browser. There is no fallback.

Natively that is coincurve, or btclib-secp256k1 for the versions of Python without wheels of coincurve; both wrap the
same C library. Keccak-256 is pycryptodome's natively, and our own in the browser.

All backends have the same functions over bytes: a private key is 32 bytes big-endian, a public key 33 (compressed) or
65 bytes (uncompressed), a digest 32 bytes, a signature r and s, 32 bytes each.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend_coincurve import CONSTANT_TIME, convert_public_key, derive_public_key, recover, sign, verify

if sys.platform == "emscripten":
    from .keccak import keccak_256

    _LIBRARY = "backend_ecdsa"
else:
    _LIBRARY = "backend_btclib" if sys.version_info >= (3, 14) else "backend_coincurve"

    def keccak_256(data: bytes) -> bytes:
        """Hash `data` with Keccak-256 as Ethereum uses it; the digest has 32 bytes."""
        # Imported on use, as the signing library is.
        from Crypto.Hash import keccak

        return keccak.new(data=data, digest_bits=256).digest()


__all__ = ["CONSTANT_TIME", "convert_public_key", "derive_public_key", "keccak_256", "recover", "sign", "verify"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load the library of a name on first use (PEP 562): a client without a key needs no signing library."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f".{_LIBRARY}", __package__), name)
        return found
