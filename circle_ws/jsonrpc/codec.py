"""The choice of the JSON codec: compiled natively, the standard library's in the browser. Same rules, same answers.

orjson has no wheels for Python 3.15: there, too, it is the standard library's.
"""

from __future__ import annotations

import sys

if sys.platform == "emscripten" or sys.version_info >= (3, 15):
    from .codec_stdlib import decode, encode
else:
    from .codec_native import decode, encode

__all__ = ["decode", "encode"]
