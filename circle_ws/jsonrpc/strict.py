"""The rules of JSON on the wire that both codecs share, so that they accept and refuse the same.

Coming in: no NaN, no lone surrogate, no number beyond a float, no integer over 1,000 digits. Going out: finite plain
JSON with string keys, nothing else.
"""

from __future__ import annotations

import re
from enum import Enum
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_DEPTH", "MAX_INTEGER_DIGITS", "refuse_deep_nesting", "refuse_long_integers", "refuse_unplain"]

MAX_DEPTH = 512
MAX_INTEGER_DIGITS = 1000

_SCALARS = frozenset({str, int, bool, type(None)})
_STRING = frozenset({str})
# Possessive: with back-tracking a string would cost 120 bytes of memory for each of its characters.
_STRINGS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS = re.compile(r"[\[{]|[\]}]")
_LONG_INTEGER = re.compile(rf"(?<![.\d])\d{{{MAX_INTEGER_DIGITS + 1},}}(?![.\deE])")
_STRIDE = MAX_INTEGER_DIGITS // 2


def refuse_unplain(value: Any) -> None:
    """Check that `value` is finite plain JSON with string keys.

    Raises:
        InvalidRequest: It is not; the message names the path of the first bad value and its type.
    """
    # Paths are for messages alone, so they are made only for what is not plain at first sight.
    if not _is_plain(value, 1):
        _refuse_unplain(value, "params", 1)


def _is_plain(value: Any, depth: int) -> bool:
    """Tell whether `value` is surely fine; the few other things that are, such as enums, are left to a longer look."""
    kind = type(value)
    if kind is dict:
        if not _STRING.issuperset(map(type, value)):
            return False
        items: Iterable[Any] = value.values()
    elif kind is list or kind is tuple:
        items = value
    else:
        return kind in _SCALARS or (kind is float and isfinite(value))
    if _SCALARS.issuperset(map(type, items)):
        return True
    if depth == MAX_DEPTH:
        return False
    # No `all()` over a generator: that would double how deep the interpreter's stack gets.
    for item in items:
        kind = type(item)
        if kind in _SCALARS or (kind is float and isfinite(item)):
            continue
        if not _is_plain(item, depth + 1):
            return False
    return True


def _refuse_unplain(value: Any, path: str, depth: int) -> None:
    kind = type(value)
    if kind in _SCALARS:
        return
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"{path[:80]}... is nested more than {MAX_DEPTH} deep, or contains itself")
    if isinstance(value, dict):
        _refuse_bad_keys(value, path)
        for key, item in value.items():
            if type(item) not in _SCALARS:
                _refuse_unplain(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if type(item) not in _SCALARS:
                _refuse_unplain(item, f"{path}[{index}]", depth + 1)
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
        raise InvalidRequest(
            f"{path} is a {_name(value)}: convert it to plain JSON first "
            "(None, bool, int, float, str, list, tuple, dict)"
        )


def refuse_long_integers(text: str) -> None:
    """Check that `text` holds no integer over 1,000 digits.

    Raises:
        ProtocolError: It does.
    """
    if len(text) <= MAX_INTEGER_DIGITS:
        return
    # A run of 1,001 digits covers two neighbours of a sample taken every 500 characters, so nearly every message is
    # cleared by looking at one character in 500.
    sample = text[_STRIDE - 1 :: _STRIDE]
    if any(one.isdigit() and two.isdigit() for one, two in zip(sample, sample[1:], strict=False)) and (
        _LONG_INTEGER.search(_STRINGS.sub('""', text))
    ):
        raise ProtocolError(f"the message holds an integer over {MAX_INTEGER_DIGITS} digits")


def refuse_deep_nesting(text: str) -> None:
    """Check that `text` is nested at most 512 deep, without parsing it.

    Raises:
        ProtocolError: It is nested deeper.
    """
    if len(text) <= MAX_DEPTH or text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub('""', text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise ProtocolError(f"the message is nested more than {MAX_DEPTH} deep")


def _name(value: object) -> str:
    return type(value).__name__
