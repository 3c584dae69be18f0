"""The rules of JSON on the wire that both codecs share, so that they accept and refuse the same.

Coming in: no NaN, no lone surrogate, no number beyond a float, no integer over 1,000 digits. Going out: finite plain
JSON with string keys, nothing else.
"""

from __future__ import annotations

import gc
import re
from array import array
from enum import Enum
from itertools import accumulate
from math import isfinite
from typing import Any

from ..errors import InvalidRequest, ProtocolError

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER_DIGITS",
    "is_flat",
    "refuse_deep_nesting",
    "refuse_long_integers",
    "refuse_unplain",
]

MAX_DEPTH = 512
MAX_INTEGER_DIGITS = 1000

_SCALARS: frozenset[type] = frozenset({str, int, bool, type(None)})
_ARRAYS: frozenset[type] = frozenset({list, tuple})
_PLAIN = _SCALARS | _ARRAYS | {float, dict}
_STRING = frozenset({str})
_MANY = 1000
_MOST_OF_FEW = 4
# Possessive: with back-tracking a string would cost 120 bytes of memory for each of its characters.
_STRINGS = r'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_PEELINGS = 8
_NEITHER_BRACKET_NOR_QUOTE = bytes(set(range(256)) - set(b'[]{}"'))
_AS_ARRAYS = bytes.maketrans(b"{}", b"[]")
_AS_STEPS = bytes.maketrans(b"[]", b"\x01\xff")
"""One level more, and one less, as signed bytes."""
_FIVE_DIGITS = re.compile("[0-9]{5}")
_LONG_INTEGER = rf"(?<![.\d])\d{{{MAX_INTEGER_DIGITS + 1},}}(?![.\deE])"
_STRIDE = MAX_INTEGER_DIGITS // 5


def refuse_unplain(value: Any) -> None:
    """Check that `value` is finite plain JSON with string keys.

    Raises:
        InvalidRequest: It is not; the message names the path of the first bad value and its type.
    """
    if not is_flat(value) and not _surely_plain(value):
        _walk(value, "params", 1)


def is_flat(value: Any) -> bool:
    """Tell whether it is a list or a dict of scalars, as most params are."""
    kind = type(value)
    if kind is dict:
        return _STRING.issuperset(map(type, value)) and _SCALARS.issuperset(map(type, value.values()))
    return kind in _SCALARS or (kind in _ARRAYS and _SCALARS.issuperset(map(type, value)))


def _surely_plain(value: Any) -> bool:
    """Look at everything of one depth together, which costs a fraction of a walk; False says that a walk must tell."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if len(level) > _MANY:
            # What holds itself, or one thing in many places, must not be looked at twice as often at each depth.
            level = list({id(item): item for item in level}.values())
        kinds = set(map(type, level))
        if not kinds <= _PLAIN:
            return False
        if float in kinds and not all(map(isfinite, [item for item in level if type(item) is float])):
            return False
        if dict in kinds and not _has_string_keys([item for item in level if type(item) is dict]):
            return False
        # Of plain things just the items and the values, and keys that were looked at.
        level = gc.get_referents(*level)
        if not level:
            return True
    return False


def _has_string_keys(dicts: list[dict[Any, Any]]) -> bool:
    return _STRING.issuperset(map(type, set().union(*dicts)))


def _walk(value: Any, path: str, depth: int) -> None:
    """Check value by value, with the path at hand for the words."""
    kind = type(value)
    if kind in _SCALARS:
        return
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"{path[:80]}... is nested more than {MAX_DEPTH} deep, or contains itself")
    if isinstance(value, dict):
        _refuse_bad_keys(value, path)
        for key, item in value.items():
            if type(item) not in _SCALARS:
                _walk(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if type(item) not in _SCALARS:
                _walk(item, f"{path}[{index}]", depth + 1)
    else:
        _refuse_unplain_scalar(value, path)


def _refuse_bad_keys(value: dict[Any, Any], path: str) -> None:
    for key in value:
        if type(key) is not str:
            raise InvalidRequest(f"{path} has the key {key!r}: JSON object keys are strings, not {_name(key)}")


def _refuse_unplain_scalar(value: Any, path: str) -> None:
    if type(value) is float:
        if not isfinite(value):
            raise InvalidRequest(f"{path} is {value!r}: JSON has no NaN and no Infinity; send null or a string")
    elif not (isinstance(value, Enum) and isinstance(value, str | int)):
        how = "with .to_py(), or by hand" if hasattr(value, "to_py") else "first"
        raise InvalidRequest(
            f"{path} is a {_name(value)}: convert it to plain JSON {how} "
            "(None, bool, int, float, str, list, tuple, dict)"
        )


def refuse_long_integers(text: str) -> None:
    """Check that `text` holds no integer over 1,000 digits.

    Raises:
        ProtocolError: It does.
    """
    if len(text) <= MAX_INTEGER_DIGITS:
        return
    # A run of 1,001 digits covers five neighbours of a sample taken every 200 characters, so nearly every message is
    # cleared by looking at one character in 200.
    if _FIVE_DIGITS.search(text[_STRIDE - 1 :: _STRIDE]) and re.search(_LONG_INTEGER, re.sub(_STRINGS, '""', text)):
        raise ProtocolError(f"the message holds an integer over {MAX_INTEGER_DIGITS} digits")


def refuse_deep_nesting(text: str) -> None:
    """Check that `text` is nested at most 512 deep, without parsing it.

    A parser that calls itself for each level ends the whole process where its stack is short: after some 5,000 levels
    in a page, and after 20,000 in a thread of 2 MiB.

    Raises:
        ProtocolError: It is nested deeper.
    """
    if len(text) > MAX_DEPTH and not (_holds_few(text, "[") and _holds_few(text, "{")) and _is_deep(text):
        raise ProtocolError(f"the message is nested more than {MAX_DEPTH} deep")


def _is_deep(text: str) -> bool:
    """Return whether brackets outside of strings are nested too deep, in passes that take a nanosecond a byte or so."""
    data = text.encode(errors="surrogatepass")
    if b"\\" in data:
        # Pairs first: of what is left a backslash before a quote escapes it.
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    data = data.translate(_AS_ARRAYS, _NEITHER_BRACKET_NOR_QUOTE)
    if data.count(b"[") <= MAX_DEPTH:
        return False
    # Two quotes side by side are an empty string, or end one and begin the next: without them the same is inside.
    data = data.replace(b'""', b"")
    if b'"' in data:
        data = b"".join(data.split(b'"')[::2])
    limit = MAX_DEPTH
    for _ in range(_PEELINGS):
        # In JSON the deepest brackets are a pair with nothing in it, so this makes it one level less deep.
        data = data.replace(b"[]", b"")
        limit -= 1
        if data.count(b"[") <= limit:
            return False
    return max(accumulate(array("b", data.translate(_AS_STEPS)))) > limit


def _holds_few(text: str, character: str) -> bool:
    """Tell whether it is there a few times only, which finding tells three times faster than counting."""
    place = -1
    for _ in range(_MOST_OF_FEW):
        place = text.find(character, place + 1)
        if place < 0:
            return True
    return False


def _name(value: object) -> str:
    return type(value).__name__
