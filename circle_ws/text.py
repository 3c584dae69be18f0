"""Text of peers in errors, logs and on terminals: on one line, without control characters, cut, and redacted."""

from __future__ import annotations

import re
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "MAX_SHOWN",
    "PLACEHOLDER",
    "Hidden",
    "escaped",
    "hide_keys",
    "looks_like_key",
    "redact",
    "redacted",
    "shown",
    "without",
]

T = TypeVar("T")
E = TypeVar("E", bound=Exception)

MAX_SHOWN = 500
"""Maximum number of characters of a peer's text that are shown."""
_LIKE_A_KEY = re.compile(r"[0-9A-Za-z+=_-]{32,}")
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

PLACEHOLDER = "<hidden>"
_LONG = 16
"""A run of this many characters or numbers may be a secret, or a part of one."""
_SHORT = 8
"""A run of this many characters that occurs in a known secret is a part of it; no nonce is shorter."""
_RUN = re.compile(rf"[A-Za-z0-9+/=_-]{{{_SHORT},}}")
_DEEPEST = 32
"""Maximum nesting of redacted data; deeper parts are replaced, as they would only use up the stack."""
_OURS = frozenset({"max_message_bytes", "max_request_bytes", "max_queued_bytes"})
"""Long words in our own errors, which must stay readable."""


def shown(text: str, limit: int = MAX_SHOWN) -> str:
    """Return a text for an error or a log: escaped, and cut with a note about its length.

    Args:
        text: The text of a peer.
        limit: Maximum number of characters that are shown.
    """
    if len(text) <= limit and text.isprintable():
        return text
    # Escapes are longer than the characters that they replace, so the text is cut before and after escaping.
    safe = escaped(text[:limit])
    if len(text) <= limit and len(safe) <= limit:
        return safe
    return f"{safe[:limit]}... ({len(text)} characters)"


def escaped(text: str, *, kept: str = "") -> str:
    r"""Escape unprintable characters (line breaks, control characters, changes of direction) as in JSON: `\u001b`.

    Args:
        text: Any text.
        kept: Characters that are not escaped.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in kept else _escape(one) for one in text)


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    return "".join(f"\\u{unit}" for unit in units)


def looks_like_key(text: str) -> bool:
    """Return whether a text may be a private key, perhaps with a typo, that was typed in the wrong place."""
    word = text.strip()
    return _LIKE_A_KEY.fullmatch(word) is not None and sum(one.isdigit() for one in word) >= 8


def hide_keys(text: str) -> str:
    """Return a text without the words that may be a private key."""
    return _LIKE_A_KEY.sub(lambda found: "<hidden>" if looks_like_key(found[0]) else found[0], text)


class Hidden(Generic[T]):
    """A value that its `repr` does not show.

    Error trackers record the local variables of every frame that an exception passes. So a function that receives a
    secret, and may raise, keeps it in a `Hidden` and deletes the argument.
    """

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value: T = value

    def __repr__(self) -> str:
        return PLACEHOLDER

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("what is hidden is not pickled: that would write it in the clear")


def redact(value: Any, secrets: Collection[str] = (), *, depth: int = _DEEPEST) -> Any:
    """Return plain JSON in which possible secrets, which a careless circle may echo, are replaced.

    Args:
        value: Plain JSON; keys are redacted too. Long numbers and long rows of numbers count as secrets.
        secrets: Known secrets of any length, which are replaced in upper and lower case, and in parts.
        depth: Maximum nesting; deeper parts are replaced.
    """
    if isinstance(value, str):
        return _redact_text(value, secrets)
    if isinstance(value, dict | list | tuple):
        if not depth:
            return PLACEHOLDER
        if isinstance(value, dict):
            return {
                redact(key, secrets, depth=depth - 1): redact(item, secrets, depth=depth - 1)
                for key, item in value.items()
            }
        if sum(isinstance(item, int | float) for item in value) >= _LONG:
            return PLACEHOLDER
        return type(value)([redact(item, secrets, depth=depth - 1) for item in value])
    is_number = isinstance(value, int | float) and value.__class__ is not bool
    return PLACEHOLDER if is_number and PLACEHOLDER in _redact_text(str(value), secrets) else value


def _redact_text(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = re.sub(re.escape(secret), PLACEHOLDER, text, flags=re.IGNORECASE)
    known = [secret.lower() for secret in secrets]

    def shown(found: re.Match[str]) -> str:
        run = found[0].lower()
        if found[0] in _OURS:
            return found[0]
        if len(run) >= _LONG:
            return PLACEHOLDER
        parts = [run[start : start + _SHORT] for start in range(len(run) - _SHORT + 1)]
        return PLACEHOLDER if any(part in secret for part in parts for secret in known) else found[0]

    return _RUN.sub(shown, text)


def redacted(error: E, secrets: Collection[str] = ()) -> E:
    """Return a copy of an error without secrets that the circle may have echoed.

    It has no traceback, cause or context, whose frames and texts may hold what was sent or received.
    """
    again = copy(error)
    again.args = redact(error.args, secrets)
    vars(again).update(redact(vars(error), secrets))
    return again


def without(error: E, secrets: Collection[str]) -> E:
    """Return an error whose message has none of these secrets: a copy without a cause, or the error where it fits.

    Args:
        error: An error with one argument, its message.
        secrets: Texts; those that are empty are not looked for.
    """
    text = clean = str(error)
    for secret in filter(None, secrets):
        clean = clean.replace(secret, PLACEHOLDER)
    if clean == text:
        return error
    again = copy(error)
    again.args = (clean,)
    return again
