"""JSON through the standard library: the codec of the browser, where nothing has to be downloaded for it."""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any

from ..errors import InvalidRequest, ProtocolError
from .strict import refuse_deep_nesting, refuse_long_integers, refuse_unplain

__all__ = ["decode", "encode"]

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
# Escaped backslashes and whole pairs are stepped over; what is left is a surrogate without its other half.
_LONE_SURROGATE = re.compile(r"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]|(?P<lone>\\u[dD][89a-fA-F])")


def encode(value: Any) -> str:
    """Turn plain values into JSON text.

    Raises:
        InvalidRequest: `value` is not finite plain JSON with string keys.
    """
    refuse_unplain(value)
    try:
        text = _ENCODER.encode(value)
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
        value = _parse(text)
        if not text.isascii():
            text.encode()
        if "\\" in text and _SURROGATE_ESCAPE.search(text):
            _refuse_lone_surrogates(text)
        return value
    except (ValueError, RecursionError) as error:
        why = str(error)
    # Outside of the handler: those errors keep the whole text, which may hold a secret, and a context is kept too.
    raise ProtocolError(f"the message is not strict JSON: {why}")


def _parse(text: str) -> Any:
    # Nearly every message is an object without spaces around it, and spares the two searches for those.
    if text.startswith("{"):
        value, end = _DECODER.raw_decode(text)
        if end == len(text):
            return value
    return _DECODER.decode(text)


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


# Made once; nothing that passed `refuse_unplain` contains itself.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
