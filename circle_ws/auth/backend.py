"""The choice of the signing library: libsecp256k1 natively, pure-Python ecdsa in the browser. There is no fallback.

Natively that is coincurve, or btclib-secp256k1 for the versions of Python without wheels of coincurve; both wrap the
same C library. Keccak-256 is compiled natively, and our own in the browser.

All backends have the same functions over bytes: a private key is 32 bytes big-endian, a public key 33 (compressed) or
65 bytes (uncompressed), a digest 32 bytes, a signature r and s, 32 bytes each.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend_coincurve import CONSTANT_TIME, convert_public_key, derive_public_key, recover, sign, verify
    from .keccak import keccak_256

if sys.platform == "emscripten":
    _SIGNING, _HASHING = "backend_ecdsa", "keccak"
elif sys.version_info >= (3, 14):
    _SIGNING, _HASHING = "backend_btclib", "keccak_native"
else:
    _SIGNING, _HASHING = "backend_coincurve", "keccak_native"

__all__ = ["CONSTANT_TIME", "convert_public_key", "derive_public_key", "keccak_256", "recover", "sign", "verify"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load the library of a name on first use (PEP 562): a client without a key needs no signing library."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f".{_HASHING if name == 'keccak_256' else _SIGNING}", __package__)
        found = globals()[name] = getattr(module, name)
        return found
