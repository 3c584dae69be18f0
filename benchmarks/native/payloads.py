"""What calls carry, there and back: 60 bytes, and 16 KiB plain and structured."""

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["LOADS", "PAYLOADS", "Load"]

_LARGE = 16 * 1024


def _items() -> list[dict[str, Any]]:
    """Make many small objects. None has a key `id`, by which the circle finds the id of the message."""
    items: list[dict[str, Any]] = []
    while len(json.dumps(items, separators=(",", ":"))) < _LARGE:
        number = len(items)
        items.append(
            {
                "number": number,
                "name": f"member {number}",
                "active": number % 3 == 0,
                "score": number * 1.5,
                "tags": ["a", "b", None],
            }
        )
    return items


PAYLOADS: dict[str, Any] = {"small": "x" * 58, "plain": "lorem ip" * (_LARGE // 8), "items": _items()}
"""By the name of the method that echoes it; 60 bytes and 16 KiB of JSON text."""


@dataclass(frozen=True, slots=True)
class Load:
    """A load that a client is measured with.

    Attributes:
        name: What the table calls it.
        method: What is called; its payload is in `PAYLOADS`.
        in_flight: How many calls at a time.
        seconds: How long one round of it takes.
    """

    name: str
    method: str
    in_flight: int
    seconds: float


LOADS = {
    "one": Load("60 B, 1 in flight", "small", 1, 0.3),
    "many": Load("60 B, 100 in flight", "small", 100, 0.3),
    "plain": Load("16 KiB plain, 100 in flight", "plain", 100, 0.3),
    "items": Load("16 KiB structured, 100 in flight", "items", 100, 0.3),
}
"""The columns of the table."""
