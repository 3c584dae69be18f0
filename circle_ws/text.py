"""Somebody else's text in errors, logs and on terminals: on one line, without control characters, not too long."""

from __future__ import annotations

import re

__all__ = ["LONGEST", "escaped", "hide_keys", "looks_like_key", "shown"]

LONGEST = 500
"""So many characters of a peer's text are shown."""
_LIKE_A_KEY = re.compile(r"[0-9A-Za-z+=_-]{32,}")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def shown(text: str, limit: int = LONGEST) -> str:
    """Give a text as it may stand in an error or a log: escaped, and cut with a word about its length.

    Args:
        text: A peer's.
        limit: So many characters are shown.
    """
    if len(text) <= limit and text.isprintable():
        return text
    # Escapes are longer than what they stand for, so the text is cut before and after.
    safe = escaped(text[:limit])
    if len(text) <= limit and len(safe) <= limit:
        return safe
    return f"{safe[:limit]}... ({len(text)} characters)"


def escaped(text: str, *, kept: str = "") -> str:
    r"""Write what is not printable (line breaks, control characters, changes of direction) as JSON would: `\u001b`.

    Args:
        text: Any text.
        kept: These stay what they are.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in kept else _escape(one) for one in text)


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    units = character.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    return "".join(f"\\u{unit}" for unit in units)


def looks_like_key(text: str) -> bool:
    """Tell whether a text may be a private key, perhaps with a mistake, that was typed in a wrong place."""
    word = text.strip()
    return _LIKE_A_KEY.fullmatch(word) is not None and sum(one.isdigit() for one in word) >= 8


def hide_keys(text: str) -> str:
    """Give a text without the words that may be a private key."""
    return _LIKE_A_KEY.sub(lambda found: "<hidden>" if looks_like_key(found[0]) else found[0], text)
