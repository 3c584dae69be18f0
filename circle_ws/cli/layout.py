"""How a result is laid out on a terminal: with line breaks, and bounded, whatever a circle sends."""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "for_person"]

MAX_DEPTH = 8
"""What is nested deeper stands in one line: each level would make every line of it longer."""
MAX_CHARACTERS = 100_000
"""What is beyond is left out, and said to be."""


def for_person(result: Any) -> str:
    """Lay out a plain JSON value, indented by 2 up to `MAX_DEPTH`; over `MAX_CHARACTERS` it is cut."""
    parts: list[str] = []
    size = 0
    for part in _parts(result, 0):
        parts.append(part)
        size += len(part)
        if size > MAX_CHARACTERS:
            words = f"\n... and more: over {MAX_CHARACTERS} characters are left out here; | or > gets all of it"
            return "".join(parts)[:MAX_CHARACTERS] + words
    return "".join(parts)


def _parts(value: Any, depth: int) -> Iterator[str]:
    """Give the text piece by piece, so that one who stops early never makes the rest."""
    if not value or not isinstance(value, dict | list) or depth == MAX_DEPTH:
        yield json.dumps(value, ensure_ascii=False)
    else:
        is_dict = isinstance(value, dict)
        margin = "\n" + "  " * (depth + 1)
        yield "{" if is_dict else "["
        for number, item in enumerate(value):
            yield ("," if number else "") + margin
            if is_dict:
                yield json.dumps(item, ensure_ascii=False) + ": "
            yield from _parts(value[item] if is_dict else item, depth + 1)
        yield "\n" + "  " * depth + ("}" if is_dict else "]")
