"""The signing backends that this runtime has, and the one that it uses."""

import sys
from types import ModuleType

from circle_ws.auth import backend_ecdsa

__all__ = ["BACKENDS", "CHOSEN", "COMPILED"]

COMPILED: list[ModuleType] = []
"""Those over libsecp256k1."""

if sys.platform != "emscripten":
    if sys.version_info < (3, 14):
        # It has no wheels for later ones.
        from circle_ws.auth import backend_coincurve

        COMPILED.append(backend_coincurve)
    from circle_ws.auth import backend_btclib

    COMPILED.append(backend_btclib)

BACKENDS: list[ModuleType] = [*COMPILED, backend_ecdsa]
"""All; the first is the one that this runtime uses."""

CHOSEN = BACKENDS[0]
