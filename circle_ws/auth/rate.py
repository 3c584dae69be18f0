"""How often a key may sign where signing is not constant-time: a token bucket, the clock passed in.

A circle that makes a client sign in again and again must not get many signatures to measure.
"""

from __future__ import annotations

__all__ = ["SigningRate"]

BURST = 5
"""So many signatures may follow one another at once."""
INTERVAL = 10.0
"""After them, one in so many seconds."""


class SigningRate:
    """Give out turns to sign."""

    __slots__ = ("_free_at",)

    def __init__(self) -> None:
        self._free_at: float | None = None

    def reserve(self, now: float) -> float:
        """Take the next turn; gives the seconds until then.

        Args:
            now: A clock, in seconds.
        """
        # The bucket as the time at which it will be full again: a turn takes one interval from it.
        full_at = max(self._free_at if self._free_at is not None else now, now) + INTERVAL
        self._free_at = full_at
        return max(0.0, full_at - now - BURST * INTERVAL)
