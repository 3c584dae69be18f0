"""The delays between attempts to connect: exponential back-off with full jitter.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    import random

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """The delays between attempts to connect. All times are in seconds.

    The first delay is drawn from U(floor, first), the n-th after it from U(floor, min(maximum, base * 2^n)).

    Attributes:
        first: Upper bound of the first delay. It spreads the clients that lose one server at the same time.
        base: Doubled from the second delay on.
        maximum: Maximum delay.
        floor: Minimum delay.
        reset_after: How long a connection must last so that the next delay is a first one again.
        attempts: Maximum number of consecutive failed attempts; None never gives up.
        seed: Makes the delays of each client the same in every run, for tests; None draws them from the system's
            randomness, so that many clients do not come back at the same time.

    Raises:
        ConfigError: A value is negative, not finite, or the floor is above the maximum.
    """

    first: float = 2.0
    base: float = 1.0
    maximum: float = 30.0
    floor: float = 0.1
    reset_after: float = 10.0
    attempts: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("attempts", "seed"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ConfigError(
                    f"backoff.{field.name} must be a number of seconds, 0 or more, not {value!r}",
                    option="backoff",
                )
        if self.floor > self.maximum:
            raise ConfigError(
                f"backoff.floor ({self.floor}) must not be above backoff.maximum ({self.maximum})",
                option="backoff",
            )
        if self.attempts is not None and (type(self.attempts) is not int or self.attempts < 1):
            raise ConfigError(
                f"backoff.attempts must be a whole number from 1, or None, not {self.attempts!r}",
                option="backoff",
            )

        if self.seed is not None and type(self.seed) is not int:
            raise ConfigError(f"backoff.seed must be a whole number, or None, not {self.seed!r}", option="backoff")

    def delay(self, failures: int, rng: random.Random) -> float:
        """Return a random delay before the next attempt.

        Args:
            failures: Number of delays since the last reset; 0 for the first one.
            rng: The source of randomness.

        Returns:
            Seconds, between `floor` and `maximum`.
        """
        # 2.0 ** 1024 overflows; no maximum needs more than 64 doublings.
        ceiling = self.first if failures == 0 else self.base * 2.0 ** min(failures, 64)
        ceiling = min(ceiling, self.maximum)
        return rng.uniform(self.floor, max(self.floor, ceiling))

    def exhausted(self, failures: int) -> bool:
        """Return whether to give up after `failures` consecutive failed attempts."""
        return self.attempts is not None and failures >= self.attempts
