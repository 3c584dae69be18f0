"""JSON text and Python values: msgspec, held to the rules of the wire (docs/protocol.md).

Incoming text is strict JSON with at most 512 levels and no number beyond a float or 1,000 digits. Outgoing values are
whatever msgspec writes, but numbers are finite and keys are strings: msgspec would write `null` for a NaN, and turn
other keys into text.
"""

from __future__ import annotations

import re
import sys
from array import array
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from itertools import accumulate
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Union

import msgspec

from ..errors import InvalidRequest, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_DEPTH", "MAX_INTEGER_DIGITS", "decode", "encode", "from_javascript"]

MAX_DEPTH = 512
"""Maximum number of arrays and objects within one another, either way."""
MAX_INTEGER_DIGITS = 1000


def encode(value: Any, name: str = "params") -> str:
    """Return a value as JSON text.

    Args:
        value: What msgspec writes, with finite numbers and string keys; or plain values of JavaScript's.
        name: What it is called in the words of an error.

    Raises:
        InvalidRequest: It cannot be written so; the message says where in it, but for text that is no UTF-8.
    """
    if not _is_plain(value):
        _refuse_bad(value, name)
    try:
        return _write(value).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    # Outside of the handler: some of those errors keep the whole text, which may hold a secret, and so would a context.
    _refuse_bad(value, name)
    raise InvalidRequest(f"{name} cannot be written as JSON: {reason}")


def decode(text: str) -> Any:
    """Return JSON text as plain values (None, bool, int, float, str, list, dict); of equal keys the last one counts.

    Raises:
        ProtocolError: `text` is not strict JSON, nested too deep, or has a number that is too long or too large.
    """
    # Before parsing: the parser calls itself for each level, which ends a Pyodide interpreter after some 5,000 and a
    # native thread with a stack of 2 MiB after 20,000.
    if len(text) > MAX_DEPTH and not (_has_few(text, "[") and _has_few(text, "{")) and _is_deep(text):
        raise ProtocolError(f"the message is nested more than {MAX_DEPTH} deep")
    try:
        value = _read(text)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        reason = str(error)
    else:
        if len(text) > MAX_INTEGER_DIGITS and _has_long_integer(text):
            raise ProtocolError(f"the message holds an integer over {MAX_INTEGER_DIGITS} digits")
        return value
    # Outside of the handler, as in `encode`.
    raise ProtocolError(f"the message is not strict JSON: {reason}")


def from_javascript(value: Any) -> Any:
    """Return the Python value for an array, an object, null or a BigInt of JavaScript's; anything else as it came.

    They are what Pyodide hands to a program that is called from JavaScript. Nothing here needs Pyodide: its proxies
    are known by their method `to_py`, the others by their name.
    """
    if hasattr(value, "to_py"):
        converted = value.to_py(depth=MAX_DEPTH)
        return value if hasattr(converted, "to_py") else converted
    name = type(value).__name__
    if name == "JsNull":
        return None
    return int(value) if name == "JsBigInt" else value


def _write_other(value: Any) -> Any:
    """Return what msgspec can write for a value that it cannot."""
    converted = from_javascript(value)
    if converted is value:
        raise TypeError(f"{type(value).__name__} is no JSON")
    return converted


_write = msgspec.json.Encoder(enc_hook=_write_other).encode
_read = msgspec.json.Decoder().decode


_LEVELS = 4
"""The depth up to which a value is checked in one pass."""


def _plain_type(levels: int) -> Any:
    """Return the type of finite plain JSON with string keys, nested at most so many levels deep."""
    finite = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
    scalar: Any = Union[str, int, bool, None, finite]  # noqa: UP007
    form = scalar
    for _ in range(levels):
        form = dict[str, form] | list[form] | scalar  # type: ignore[valid-type]
    return form


class _Plain(msgspec.Struct, array_like=True):
    """A value that needs no closer look; a Struct, because msgspec caches the type information of Structs only."""

    value: _plain_type(_LEVELS)  # type: ignore[valid-type]


def _is_plain(value: Any) -> bool:
    """Return whether a value is surely finite plain JSON: one pass in C, a tenth of the time of a walk in Python.

    It must come before writing: msgspec calls itself for each level, and what contains itself ends a Pyodide
    interpreter.
    """
    try:
        msgspec.convert((value,), _Plain)
    except Exception:
        # Mostly a `ValidationError`; what looks like a mapping is asked for its keys, and may raise anything.
        return False
    return True


def _refuse_bad(value: Any, name: str) -> None:
    """Check a value that is not surely plain.

    Raises:
        InvalidRequest: A part cannot be written; the message names its path.
    """
    try:
        _check(value, name, 1)
        return
    except RecursionError:
        # Outside of the handler, as in `encode`.
        pass
    raise InvalidRequest(f"{name} is nested too deep to be written from here, where the program's own stack is deep")


_SCALARS = frozenset({str, int, bool, type(None)})
_CONTAINERS = frozenset({dict, list, tuple})


def _is_good(value: Any, depth: int) -> bool:
    """Return whether a part needs no check of its own: nearly all do not, so no path is written for them."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is float:
        return isfinite(value)
    # Each part is in at most as many of these passes as they go deep. None may go beyond the maximum.
    return kind in _CONTAINERS and depth + _LEVELS <= MAX_DEPTH and _is_plain(value)


def _check(value: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"{path[:80]}... is nested more than {MAX_DEPTH} deep, or contains itself")
    parts = _parts(value, path)
    if parts is not None:
        for key, part in parts:
            if not _is_good(part, depth + 1):
                _check(part, f"{path}[{key}]" if type(key) is int else f"{path}.{key}", depth + 1)
    elif not _is_finite(value):
        raise InvalidRequest(f"{path} is {value}: JSON has no NaN and no Infinity; send null or a string")
    elif isinstance(value, Enum):
        _check(value.value, path, depth + 1)
    elif (converted := from_javascript(value)) is not value:
        _check(converted, path, depth + 1)
    elif type(value) not in _SCALARS:
        _check_other(value, path)


def _parts(value: Any, path: str) -> Iterable[tuple[int | str, Any]] | None:
    """Return the parts of an array or an object, each with its index or its key; None for anything else."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise InvalidRequest(
                    f"{path} has the key {key!r}: JSON object keys are strings, not {type(key).__name__}"
                )
        return value.items()
    if isinstance(value, list | tuple | set | frozenset):
        return enumerate(value)
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
    elif is_dataclass(value) and not isinstance(value, type):
        names = tuple(field.name for field in fields(value))
    else:
        names = tuple(field.name for field in getattr(type(value), "__attrs_attrs__", ()))
        if not names:
            return None
    parts = ((name, getattr(value, name, msgspec.UNSET)) for name in names)
    return (part for part in parts if part[1] is not msgspec.UNSET)


def _is_finite(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return not isinstance(value, float) or isfinite(value)


def _check_other(value: Any, path: str) -> None:
    """Check a value that has no parts, by writing it alone."""
    try:
        if isinstance(value, msgspec.Raw):
            decode(bytes(value).decode())
        else:
            _write(value)
        return
    except (ProtocolError, msgspec.MsgspecError, TypeError, ValueError):
        # Outside of the handler, as in `encode`.
        pass
    how = "with .to_py(), or by hand" if hasattr(value, "to_py") else "first"
    raise InvalidRequest(
        f"{path} is a {type(value).__name__}, which cannot be written as JSON: convert it {how} "
        "(to plain values, a dataclass or a Struct)"
    )


_FEW = 4
# Possessive: with back-tracking a string would cost 120 bytes of memory for each of its characters.
_STRINGS = r'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_NEITHER_BRACKET_NOR_QUOTE = bytes(set(range(256)) - set(b'[]{}"'))
_AS_ARRAYS = bytes.maketrans(b"{}", b"[]")
_AS_STEPS = bytes.maketrans(b"[]", b"\x01\xff")
"""One level more, and one less, as signed bytes."""
_PEELINGS = 8
_FIVE_DIGITS = re.compile("[0-9]{5}")
_LONG_INTEGER = rf"(?<![.\d])\d{{{MAX_INTEGER_DIGITS + 1},}}(?![.\deE])"
_STRIDE = MAX_INTEGER_DIGITS // 5


def _has_few(text: str, character: str) -> bool:
    """Return whether a character occurs a few times at most, which finding tells faster than counting."""
    place = -1
    for _ in range(_FEW):
        place = text.find(character, place + 1)
        if place < 0:
            return True
    return False


def _is_deep(text: str) -> bool:
    """Return whether brackets outside of strings are nested too deep; takes about a nanosecond a byte."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    data = text.encode(errors="surrogatepass")
    if b"\\" in data:
        # Pairs first: of what is left a backslash before a quote escapes it.
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes side by side are an empty string, or end one and begin the next: without them the same is inside.
    data = data.translate(_AS_ARRAYS, _NEITHER_BRACKET_NOR_QUOTE).replace(b'""', b"")
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


def _has_long_integer(text: str) -> bool:
    # A run of 1,001 digits covers five neighbours of a sample taken every 200 characters, so nearly every message is
    # cleared by looking at one character in 200.
    sample = _FIVE_DIGITS.search(text[_STRIDE - 1 :: _STRIDE])
    return sample is not None and re.search(_LONG_INTEGER, re.sub(_STRINGS, '""', text)) is not None
