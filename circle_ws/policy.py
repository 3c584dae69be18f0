"""What to do after a failed attempt or a lost link: one pure function decides.

The table it implements stands in docs/reliability.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import AuthError, ConfigError, ConnectionFailed, RedirectRefused

__all__ = ["Failure", "Verdict", "classify"]

LONGEST_RETRY_AFTER = 300.0
"""The longest `Retry-After` that is honoured, in seconds."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Describe one failed attempt, or the loss of a link that stood.

    Attributes:
        cause: The error.
        ever_connected: Whether this client was connected before, or keeps trying from the start
            (`first_connect="retry"`).
    """

    cause: Exception
    ever_connected: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say what happens next.

    Attributes:
        retry: Back off and connect again; False gives up with status FAILED.
        at_least: No delay is shorter, in seconds.
    """

    retry: bool
    at_least: float = 0.0


_FATAL = Verdict(retry=False)


def classify(failure: Failure) -> Verdict:
    """Decide whether `failure` is worth another attempt."""
    cause = failure.cause
    if not failure.ever_connected or isinstance(cause, AuthError | ConfigError | RedirectRefused):
        return _FATAL
    retry_after = cause.retry_after if isinstance(cause, ConnectionFailed) else None
    return Verdict(retry=True, at_least=min(retry_after or 0.0, LONGEST_RETRY_AFTER))
