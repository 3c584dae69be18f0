"""JSON through msgspec: the native codec."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import InvalidRequest, ProtocolError
from .strict import refuse_long_integers, refuse_unplain

__all__ = ["decode", "encode"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode(value: Any) -> str:
    """Turn plain values into JSON text.

    Raises:
        InvalidRequest: `value` is not finite plain JSON with string keys.
    """
    refuse_unplain(value)
    try:
        return _encode(value).decode()
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(f"params cannot be written as JSON: {error}") from error


def decode(text: str) -> Any:
    """Turn JSON text into plain values.

    Raises:
        ProtocolError: `text` is not strict JSON.
    """
    try:
        value = _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        why = str(error)
    else:
        refuse_long_integers(text)
        return value
    # Outside of the handler: some of those errors keep the whole text, which may hold a secret, and so would a context.
    raise ProtocolError(f"the message is not strict JSON: {why}")
