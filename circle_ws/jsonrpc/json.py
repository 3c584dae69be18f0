"""The choice of the JSON codec: compiled natively, the standard library's in the browser. Same rules, same answers."""

from __future__ import annotations

import sys

if sys.platform == "emscripten":
    from .codec_stdlib import decode, encode
else:
    from .codec_native import decode, encode

__all__ = ["decode", "encode"]
