"""How often a key may sign where signing is not constant-time: a token bucket, the clock passed in.

A circle that makes a client sign in again and again must not get many signatures to measure. So the limit is the key's,
however many clients and `KeyPair` objects of a page have it.
"""

from __future__ import annotations

__all__ = ["SigningRate", "rate_of"]

BURST = 5
"""So many signatures may follow one another at once."""
INTERVAL = 10.0
"""After them, one in so many seconds."""


class SigningRate:
    """Give out turns to sign."""

    __slots__ = ("_full_at",)

    def __init__(self) -> None:
        self._full_at: float | None = None

    def reserve(self, now: float) -> float:
        """Take the next turn; gives the seconds until then.

        Args:
            now: A clock, in seconds.
        """
        full_at = self._full_after_next(now)
        self._full_at = full_at
        return self._wait(full_at, now)

    def delay(self, now: float) -> float:
        """Give the seconds until the next turn, without taking it.

        Args:
            now: A clock, in seconds.
        """
        return self._wait(self._full_after_next(now), now)

    def is_full(self, now: float) -> bool:
        """Return whether it is as it was when it was made, so that it can be forgotten.

        Args:
            now: A clock, in seconds.
        """
        return self._full_at is None or self._full_at <= now

    def _full_after_next(self, now: float) -> float:
        # The bucket as the time at which it will be full again: a turn takes one interval from it.
        return max(now if self._full_at is None else self._full_at, now) + INTERVAL

    @staticmethod
    def _wait(full_at: float, now: float) -> float:
        return max(0.0, full_at - now - BURST * INTERVAL)


_rates: dict[str, SigningRate] = {}
"""By public key. It holds the keys of the last minute or so: a bucket that is full again is forgotten."""


def rate_of(public_key: str, now: float) -> SigningRate:
    """Return the one rate of a key in this process.

    Args:
        public_key: As hex, always in the same form.
        now: A clock, in seconds.
    """
    for key in [key for key, rate in _rates.items() if rate.is_full(now)]:
        del _rates[key]
    return _rates.setdefault(public_key, SigningRate())
