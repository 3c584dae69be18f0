"""The choice of the JSON codec: msgspec natively, the standard library in the browser. Same rules, same answers."""

from __future__ import annotations

import sys

if sys.platform == "emscripten":
    from .codec_stdlib import decode, encode
else:
    from .codec_msgspec import decode, encode

__all__ = ["decode", "encode"]
