"""JSON through compiled libraries: the native codec. orjson writes, msgspec reads.

Each is the faster one at that. orjson refuses nearly everything that is not plain by itself, in a fraction of the time
that a look at every value would take in Python; msgspec reads integers of any length exactly.
"""

from __future__ import annotations

import gc
from typing import Any

import msgspec
import orjson

from ..errors import ProtocolError
from .strict import is_flat, refuse_deep_nesting, refuse_long_integers

__all__ = ["decode", "encode"]

_NOTHING_BUT_JSON = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""Have dataclasses, datetimes and subclasses refused, which orjson would convert."""

_decode = msgspec.json.Decoder().decode


def encode(value: Any) -> str:
    """Turn plain values into JSON text.

    Raises:
        InvalidRequest: `value` is not finite plain JSON with string keys.
    """
    try:
        data = orjson.dumps(value, None, _NOTHING_BUT_JSON)
    except TypeError:
        return _encode_unusual(value)
    if is_flat(value) or _is_surely_plain(value, data):
        return data.decode()
    return _encode_unusual(value)


def _encode_unusual(value: Any) -> str:
    """Write what orjson does not write, or not as the rules are: long integers, deep nesting, named tuples, enums.

    Raises:
        InvalidRequest: `value` is not finite plain JSON with string keys; the message names the path of the first bad
            value and its type.
    """
    # Both codecs have the same rules, so here is where the words for what breaks them come from, too.
    from . import codec_stdlib

    return codec_stdlib.encode(value)


def _is_surely_plain(value: Any, data: bytes) -> bool:
    """Tell whether nothing is in `value` that orjson wrote as `data` against the rules; False says: look closely.

    Those are numbers that are not finite, which it writes as `null`, and UUIDs and members of enums. None of it refers
    to any object; but a UUID and a member refer to their class, as every instance of a class written in Python does,
    and from a class one gets to ever more objects. So if the references come to an end before there are more of them
    than `data` could tell of, neither is there.
    """
    nulls = data.count(b"null")
    level, most = [value], len(data)
    while level:
        level = gc.get_referents(*level)
        most -= len(level)
        if most < 0:
            return False
        if nulls:
            nulls -= level.count(None)
    return nulls == 0


def decode(text: str) -> Any:
    """Turn JSON text into plain values.

    Raises:
        ProtocolError: `text` is not strict JSON, or nested more than 512 deep.
    """
    # msgspec goes as deep as the text does, and its own limit is above what the stack of a thread may have.
    refuse_deep_nesting(text)
    try:
        value = _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        why = str(error)
    else:
        refuse_long_integers(text)
        return value
    # Outside of the handler: some of those errors keep the whole text, which may hold a secret, and so would a context.
    raise ProtocolError(f"the message is not strict JSON: {why}")
