"""What must not be shown: secrets in local variables, which error trackers record, and in a circle's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PLACEHOLDER", "Hidden", "redact", "redacted"]

T = TypeVar("T")
E = TypeVar("E", bound=Exception)

PLACEHOLDER = "<hidden>"
_LONG = 16
"""So many characters in a row, or numbers, may be a secret, or a part of one."""
_RUN = re.compile(rf"[A-Za-z0-9+/=_-]{{{_LONG},}}")
_OURS = frozenset({"max_message_bytes", "max_request_bytes", "max_queued_bytes"})
"""Long words in errors of our own, that say what to do."""


class Hidden(Generic[T]):
    """Hold a value that its `repr` does not show.

    Error trackers record the local variables of every frame that an exception passes. So a function that is given a
    secret, and may raise, holds it in one of these and forgets the argument.
    """

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __repr__(self) -> str:
        return PLACEHOLDER

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("what is hidden is not pickled: that would write it in the clear")


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Give plain JSON without what may be a secret that a careless circle repeats; its other words stay.

    Args:
        value: Plain JSON; keys are looked at too. Long numbers and long rows of numbers are taken for secrets as well.
        secrets: What is known to be secret, however short; in upper or lower case.
    """
    if isinstance(value, str):
        for secret in secrets:
            value = re.sub(re.escape(secret), PLACEHOLDER, value, flags=re.IGNORECASE)
        return _RUN.sub(lambda run: run[0] if run[0] in _OURS else PLACEHOLDER, value)
    if isinstance(value, dict):
        return {redact(key, secrets): redact(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if sum(isinstance(item, int | float) for item in value) >= _LONG:
            return PLACEHOLDER
        return type(value)([redact(item, secrets) for item in value])
    is_long = isinstance(value, int | float) and value.__class__ is not bool and _RUN.search(str(value))
    return PLACEHOLDER if is_long else value


def redacted(error: E, secrets: Iterable[str] = ()) -> E:
    """Give a copy of an error without what the circle may have repeated in it.

    It has no traceback, cause or context: their frames and texts may hold what was sent, or what came in.
    """
    # Here, as only a sign-in that failed needs it.
    from copy import copy

    again = copy(error)
    again.args = redact(error.args, secrets)
    vars(again).update(redact(vars(error), secrets))
    return again
