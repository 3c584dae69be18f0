"""The choice of the signing backend: coincurve natively, pure-Python ecdsa in the browser. Nothing falls back.

With it goes Keccak-256: a compiled one natively, our own in the browser.

Both have the same functions over bytes: a private key is 32 bytes big-endian, a public key 33 (compressed) or 65 bytes
(uncompressed), a digest 32 bytes, a signature r and s, 32 bytes each.
"""

from __future__ import annotations

import sys

if sys.platform == "emscripten":
    from .backend_ecdsa import CONSTANT_TIME, convert_public_key, derive_public_key, keccak_256, recover, sign, verify
else:
    from .backend_coincurve import (
        CONSTANT_TIME,
        convert_public_key,
        derive_public_key,
        keccak_256,
        recover,
        sign,
        verify,
    )

__all__ = ["CONSTANT_TIME", "convert_public_key", "derive_public_key", "keccak_256", "recover", "sign", "verify"]
