"""What a circle may give us to sign.

The "nonce" is a text that the server chooses. Without a grammar a hostile server could have a client sign a JWT, a
transaction or another site's login text.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import InvalidNonce
from .hidden import Hidden
from .types import Nonce

__all__ = ["read_nonce", "refuse_digest"]

_GRAMMAR = r"[A-Za-z0-9_\-+/=:]{8,256}"
_HEX = r"[0-9A-Fa-f]+"


def read_nonce(answer: Any) -> Nonce:
    """Take the nonce out of what `fetch_nonce` answered.

    Args:
        answer: A string, or an object with a string member `nonce`.

    Raises:
        InvalidNonce: It must not be signed.
    """
    given, answer = Hidden(answer), None
    fault = _find_fault(_value(given.value))
    if fault is not None:
        raise InvalidNonce(fault)
    return _taken(given.value)


def _value(answer: Any) -> Any:
    return answer.get("nonce") if type(answer) is dict else answer


def _find_fault(value: Any) -> str | None:
    if type(value) is not str:
        return "fetch_nonce answered neither a string nor an object with a string member 'nonce'"
    # fullmatch, not match with "$", which would let a final newline through.
    if re.fullmatch(_GRAMMAR, value) is None:
        return "the circle's nonce is not 8 to 256 characters of A-Z a-z 0-9 _ - + / = : ; nothing was signed"
    return None


def _taken(answer: Any) -> Nonce:
    return Nonce(answer) if type(answer) is str else Nonce(_value(answer), _expiry(answer), _offered(answer))


def refuse_digest(nonce: Nonce) -> None:
    """Check a nonce that is hashed with nothing before it: of 32 characters it must be hexadecimal.

    Any 32 bytes could be somebody else's digest.

    Raises:
        InvalidNonce: It is not.
    """
    if len(nonce.value) == 32 and re.fullmatch(_HEX, nonce.value) is None:
        raise InvalidNonce("the circle's nonce is 32 characters but not hexadecimal; nothing was signed")


def _expiry(answer: dict[str, Any]) -> int | None:
    # Above 2^53 JavaScript cannot hold every integer, and would echo another one.
    expires_at = answer.get("expires_at")
    return expires_at if type(expires_at) is int and 0 <= expires_at < 2**53 else None


def _offered(answer: dict[str, Any]) -> frozenset[str]:
    names = answer.get("auth_profiles")
    return frozenset(name for name in names if type(name) is str) if type(names) is list else frozenset()
