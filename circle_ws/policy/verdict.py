"""What to do after a failed attempt or a lost connection: the pure function `classify`.

It implements the table in docs/reliability.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ..errors import (
    AuthError,
    AuthRejected,
    CircleWsError,
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    RedirectRefused,
)

__all__ = ["Classifier", "Failure", "Reason", "Verdict", "classify", "reason_of"]

MAX_RETRY_AFTER = 300.0
"""Maximum `Retry-After` that is honoured, in seconds."""
TRY_AGAIN_LATER_DELAY = 10.0
"""Minimum delay after a close with code 1013 (try again later), in seconds."""
RESTART_DELAY = (0.5, 5.0)
"""Range of the delay after a close with code 1012 (service restart), in seconds."""
ENOUGH_FAILURES = 3
"""Minimum number of consecutive failures of one persistent kind before the client gives up."""
ENOUGH_SECONDS = 120.0
"""Minimum time from the first to the last of these failures, in seconds, where a deploy may be what causes them."""
MAX_REJECTIONS = 2
"""Maximum number of consecutive rejections of the key during reconnects."""

_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_PROTOCOL_CODES = frozenset({1002, 1003, 1007, 1008, 1010})
_REJECTING_CODES = frozenset({4401, 4403})


class Reason(Enum):
    """The persistent kinds of failure, which seldom go away; consecutive ones of a kind are counted."""

    CERTIFICATE = "certificate"
    """The server's certificate is not trusted."""
    HTTP = "http"
    """The server refused the upgrade with HTTP 3xx, or 4xx except 408, 425 and 429."""
    PROTOCOL = "protocol"
    """The peer closed with 1002, 1003, 1007, 1008 or 1010."""
    REJECTED = "rejected"
    """The circle refused the key, in the sign-in or by closing with 4401 or 4403."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, or the loss of an established connection.

    Attributes:
        cause: The error.
        phase: Where it was: `open`, `nonce`, `sign`, `authenticate`, `setup`; `serve` if a connection was lost.
        ever_connected: Whether this client was connected before.
        consecutive: Number of consecutive failures of this `Reason`, this one included; those without a reason are
            counted together.
        seconds: Time since the first of these, in seconds.
        persistent: Whether the client keeps trying before its first connection: `first_connect="retry"` or `start()`.
    """

    cause: Exception
    phase: str
    ever_connected: bool
    consecutive: int = 1
    seconds: float = 0.0
    persistent: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to reconnect, and when.

    Attributes:
        retry: Reconnect after a delay; False gives up with status FAILED.
        at_least: Minimum delay, in seconds.
        between: The range to draw the delay from, in seconds; None takes the delay of the back-off.
        grows: Add the delay of the back-off to the one from `between`, from the second delay on.
    """

    retry: bool
    at_least: float = 0.0
    between: tuple[float, float] | None = None
    grows: bool = False


Classifier: TypeAlias = Callable[[Failure], Verdict | None]
"""A user's function that decides before `classify`; where it returns None, `classify` decides."""


def classify(failure: Failure) -> Verdict:
    """Decide whether `failure` is worth another attempt, and when."""
    cause = failure.cause
    if isinstance(cause, ConfigError) or not isinstance(cause, CircleWsError):
        # Other errors were raised by the user's code, as in the setup: another attempt would raise them again.
        return Verdict(retry=False)
    if isinstance(cause, AuthError) and not isinstance(cause, AuthRejected):
        return Verdict(retry=False)
    reason = reason_of(cause)
    if reason is not None and not _is_worth_a_retry(reason, failure):
        return Verdict(retry=False)
    code = _close_code(cause)
    if code == 1012:
        return Verdict(retry=True, between=RESTART_DELAY, grows=True)
    if code == 1013:
        return Verdict(retry=True, at_least=TRY_AGAIN_LATER_DELAY)
    retry_after = cause.retry_after if isinstance(cause, ConnectionFailed) else None
    return Verdict(retry=True, at_least=min(retry_after or 0.0, MAX_RETRY_AFTER))


def reason_of(cause: Exception) -> Reason | None:
    """Return the kind of a persistent failure; None for all others."""
    code = _close_code(cause)
    if isinstance(cause, AuthRejected) or code in _REJECTING_CODES:
        return Reason.REJECTED
    if code in _PROTOCOL_CODES:
        return Reason.PROTOCOL
    if isinstance(cause, RedirectRefused):
        return Reason.HTTP
    if isinstance(cause, ConnectionFailed):
        status = cause.http_status or 0
        if 300 <= status < 500 and status not in _TRANSIENT_STATUSES:
            return Reason.HTTP
        if cause.bad_certificate:
            return Reason.CERTIFICATE
    return None


def _close_code(cause: Exception) -> int | None:
    """Return the code that the peer closed with, if it did, also during the sign-in or the setup."""
    loss = cause.__cause__ if isinstance(cause, ConnectionFailed) else cause
    return loss.code if isinstance(loss, ConnectionLost) and not loss.local else None


def _is_worth_a_retry(reason: Reason, failure: Failure) -> bool:
    """Return whether a persistent kind of failure is worth another attempt."""
    if reason is Reason.PROTOCOL:
        return failure.consecutive < ENOUGH_FAILURES
    if reason is Reason.REJECTED:
        return failure.ever_connected and failure.consecutive < MAX_REJECTIONS
    # A deploy, a new ingress or a certificate that is being renewed must not end a service. For a client that makes one
    # attempt and was never connected it is most likely a mistake in the configuration.
    return (failure.ever_connected or failure.persistent) and not (
        failure.consecutive >= ENOUGH_FAILURES and failure.seconds >= ENOUGH_SECONDS
    )
