"""What a circle may give us to sign.

The "nonce" is a text that the server chooses. Without a grammar a hostile server could have a client sign a JWT, a
transaction or another site's login text.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import InvalidNonce
from .types import Nonce

__all__ = ["read_nonce"]

_GRAMMAR = re.compile(r"[A-Za-z0-9_\-+/=:]{8,256}")
_HEX = re.compile(r"[0-9A-Fa-f]+")


def read_nonce(answer: Any, *, hashed_bare: bool) -> Nonce:
    """Take the nonce out of what `fetch_nonce` answered.

    Args:
        answer: A string, or an object with a string member `nonce`.
        hashed_bare: True for a profile that hashes the nonce with nothing before it. There a nonce of exactly 32
            characters must be hexadecimal, because any 32 bytes could be somebody else's digest.

    Raises:
        InvalidNonce: It must not be signed.
    """
    value = answer.get("nonce") if type(answer) is dict else answer
    if type(value) is not str:
        raise InvalidNonce("fetch_nonce answered neither a string nor an object with a string member 'nonce'")
    # fullmatch, not match with "$", which would let a final newline through.
    if _GRAMMAR.fullmatch(value) is None:
        raise InvalidNonce(
            "the circle's nonce is not 8 to 256 characters of A-Z a-z 0-9 _ - + / = : ; nothing was signed"
        )
    if hashed_bare and len(value) == 32 and _HEX.fullmatch(value) is None:
        raise InvalidNonce("the circle's nonce is 32 characters but not hexadecimal; nothing was signed")
    expires_at = answer.get("expires_at") if type(answer) is dict else None
    return Nonce(value, expires_at if type(expires_at) is int else None)
