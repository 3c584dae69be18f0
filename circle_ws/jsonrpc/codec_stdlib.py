"""JSON through the standard library: the codec of the browser, where nothing has to be downloaded for it."""

from __future__ import annotations

import json
import re
from math import isinf
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest, ProtocolError
from .strict import refuse_deep_nesting, refuse_long_integers, refuse_unplain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["decode", "encode"]

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
# Escaped backslashes and whole pairs are stepped over; what is left is a surrogate without its other half.
_LONE_SURROGATE = re.compile(r"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]|(?P<lone>\\u[dD][89a-fA-F])")
_LONG = 1024
"""Characters from which on a text is worth more passes."""
_FEW = 8
"""So many things are looked at one by one."""
_STRING = frozenset({str})
_PLAIN: frozenset[type] = frozenset({int, bool, type(None)})
_OFTEN = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
"""The characters that long texts often hold and JSON escapes, the escape's own first."""
_ESCAPED = bytes(range(32)) + b'"\\'
_SELDOM = bytes(set(_ESCAPED) - set("".join(_OFTEN).encode()))


def encode(value: Any) -> str:
    """Turn plain values into JSON text.

    Raises:
        InvalidRequest: `value` is not finite plain JSON with string keys.
    """
    is_plain, has_long_text = _looked_at(value)
    if not is_plain:
        refuse_unplain(value)
    try:
        text = _with_long_texts(value) if has_long_text else "".join(_chunks(value, 0))
        if not text.isascii():
            text.encode()
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"params cannot be written as JSON: {error}") from error
    return text


def decode(text: str) -> Any:
    """Turn JSON text into plain values.

    Raises:
        ProtocolError: `text` is not strict JSON, or nested more than 512 deep.
    """
    # Deep nesting ends a Pyodide interpreter for good, uncatchably: look before parsing.
    refuse_deep_nesting(text)
    refuse_long_integers(text)
    try:
        # Nearly every message has no spaces around it, and spares the two searches for those.
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            value, end = None, -1
        if end != len(text):
            value = _DECODER.decode(text)
        if not text.isascii():
            text.encode()
        if "\\" in text and _SURROGATE_ESCAPE.search(text):
            _refuse_lone_surrogates(text)
        return value
    except (ValueError, RecursionError) as error:
        why = str(error)
    # Outside of the handler: those errors keep the whole text, which may hold a secret, and a context is kept too.
    raise ProtocolError(f"the message is not strict JSON: {why}")


def _looked_at(value: Any) -> tuple[bool, bool]:
    """Look at a list or a dict of few things, as most params are: whether it is surely plain, and holds a long text."""
    kind = type(value)
    if kind is list or kind is tuple:
        items, is_plain = value, True
    elif kind is dict:
        items, is_plain = value.values(), _STRING.issuperset(map(type, value))
    else:
        return False, False
    has_long_text = False
    if len(value) > _FEW:
        return False, False
    for item in items:
        kind = type(item)
        if kind is str:
            has_long_text = has_long_text or len(item) > _LONG
        elif kind not in _PLAIN:
            is_plain = False
    return is_plain, has_long_text


def _with_long_texts(value: Any) -> str:
    if type(value) is dict:
        return "{" + ",".join([f"{_part(key)}:{_part(item)}" for key, item in value.items()]) + "}"
    return "[" + ",".join([_part(item) for item in value]) + "]"


def _part(value: Any) -> str:
    return _quoted(value) if type(value) is str and len(value) > _LONG else "".join(_chunks(value, 0))


def _quoted(text: str) -> str:
    """Write a long text in a few passes that are each fast: the encoder in C takes 7 ns a character in a page."""
    # The lone surrogates that UTF-8 refuses are no characters.
    size = len(data := text.encode())
    if len(data.translate(None, _ESCAPED)) == size:
        return f'"{text}"'
    if len(data.translate(None, _SELDOM)) < size:
        return "".join(_chunks(text, 0))
    for character, escape in _OFTEN.items():
        text = text.replace(character, escape)
    return f'"{text}"'


def _finite(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise ValueError("a number is beyond the range of a float")
    return number


def _refuse_lone_surrogates(text: str) -> None:
    # In the text, not in the value: of a key given twice the value keeps only the last.
    if any(escape["lone"] for escape in _LONE_SURROGATE.finditer(text)):
        raise ValueError("half of a surrogate pair is no character")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _made_once(encoder: json.JSONEncoder) -> Callable[[Any, int], Iterable[str]]:
    """Give the function in C that `encoder.encode` makes anew for each value; it gives the text in parts."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: encoder.iterencode(value)
    separators = encoder.key_separator, encoder.item_separator
    quote = json.encoder.encode_basestring
    # In the order: markers (against circles), default, quote, indent, separators, sort_keys, skipkeys, allow_nan.
    chunks: Callable[[Any, int], Iterable[str]] = make(
        None, encoder.default, quote, None, *separators, False, False, False
    )
    return chunks


# Nothing that passed `refuse_unplain` contains itself.
_chunks = _made_once(json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")))
_DECODER: Any = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
_scan = _DECODER.scan_once
"""`raw_decode` without what words its errors: `StopIteration` where a value is missing, or where spaces come first."""
