"""The choice of what signs: libsecp256k1 natively, pure-Python ecdsa in the browser. Nothing falls back.

Natively that is coincurve, and btclib-secp256k1 for the versions of Python that coincurve has no wheels for; both are
made of the same C. With it goes Keccak-256: a compiled one natively, our own in the browser.

All have the same functions over bytes: a private key is 32 bytes big-endian, a public key 33 (compressed) or 65 bytes
(uncompressed), a digest 32 bytes, a signature r and s, 32 bytes each. They are loaded on use, by the first key: a
client without one needs none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..postponed import names_of

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
    __getattr__, __dir__ = names_of(
        __name__,
        {
            _SIGNING: ("CONSTANT_TIME", "convert_public_key", "derive_public_key", "recover", "sign", "verify"),
            _HASHING: ("keccak_256",),
        },
    )
