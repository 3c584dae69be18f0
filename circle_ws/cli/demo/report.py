"""What a page's report must hold before the demo believes that the page works."""

from collections.abc import Callable, Iterator
from typing import Any

from ...auth.crypto_utils import format_public_key
from ...errors import InvalidKey

__all__ = ["Report", "judge"]

Report = dict[str, Any]
"""What a page tells of itself."""


def judge(report: Report) -> Iterator[tuple[bool, str]]:
    """Look at each thing that the page should have done; give whether it did, and the thing in words.

    The page says what it saw, not whether that is right: this is decided here.
    """
    for words, holds in _CHECKS:
        try:
            good = holds(report)
        except (InvalidKey, LookupError, TypeError, ValueError, AttributeError):
            good = False
        yield good, words.format_map(_Shown(report))


class _Shown(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "nothing"


def _same_key(told: Report) -> bool:
    return bool(format_public_key(told["public_key"], compressed=True) == told["whoami"]["pubkey"])


def _reconnected(told: Report) -> bool:
    statuses = told["statuses"]
    after = statuses[statuses.index("waiting") :]
    return "connected" in statuses[: statuses.index("waiting")] and after[-3:] == [
        "connecting",
        "authenticating",
        "connected",
    ]


_CHECKS: tuple[tuple[str, Callable[[Report], bool]], ...] = (
    ("signed in with its own key", _same_key),
    ('play("40 + 2") gave {play!r}', lambda told: told["play"] == "42"),
    ("echo gave back {echo!r}", lambda told: told["echo"] == {"value": ["é", None, 1.5]}),
    ("a notification came in: {tick!r}", lambda told: told["tick"]["n"] > 0),
    ("the circle dropped it: {lost}", lambda told: told["lost"].startswith("OutcomeUnknown")),
    ("it reconnected and signed in again", _reconnected),
    ("a call made meanwhile was answered: {after!r}", lambda told: told["after"] == "42"),
    ("no errors and no violations of its content security policy: {faults!r}", lambda told: told["faults"] == []),
)
