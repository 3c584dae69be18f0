"""Whether and when to reconnect after a failure, with the counts that `classify` and the back-off need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConnectionLost
from .verdict import Failure, Reason, Verdict, classify, reason_of

if TYPE_CHECKING:
    import random

    from .backoff import Backoff
    from .verdict import Classifier

__all__ = ["ReconnectPolicy"]


class ReconnectPolicy:
    """The reconnect decisions of one client.

    Args:
        backoff: The delays; None never reconnects.
        classifier: Decides before `classify`; may be None.
        persistent: Whether a client that was never connected keeps trying; may be changed.
        rng: The source of randomness.
    """

    __slots__ = (
        "_backoff",
        "_classifier",
        "_consecutive",
        "_delays",
        "_ever_connected",
        "_accepted_before",
        "_reason",
        "_rng",
        "_row_began",
        "at_least",
        "persistent",
    )

    def __init__(
        self, backoff: Backoff | None, classifier: Classifier | None, *, persistent: bool, rng: random.Random
    ) -> None:
        self._backoff = backoff
        self._classifier = classifier
        self.persistent: bool = persistent
        self._rng = rng
        self._ever_connected = False
        self._delays = 0
        self._reason: Reason | None = None
        self._consecutive = 0
        self._row_began = 0.0
        self._accepted_before = False
        """Whether the failure came after an accepted connection, so that a new connection does not end the row."""
        self.at_least: float = 0.0
        """The part of the latest delay that the server asked for, in seconds."""

    def restarted(self) -> None:
        """Count failures from the beginning: the next start is the program's own."""
        self._consecutive = 0

    def lost(self, uptime: float | None, *, answered: bool, useful: bool) -> None:
        """Record a connection that ended; call it before `plan`.

        Args:
            uptime: How long the client was connected, in seconds; None if the attempt failed before that.
            answered: Whether any of the user's calls was answered on it.
            useful: Whether it brought a reply to the setup or a notification.
        """
        if uptime is not None:
            self._ever_connected = True
            if not self._accepted_before:
                self._consecutive = 0
        stood = self._backoff is not None and uptime is not None and uptime >= self._backoff.reset_after
        if stood:
            self._delays = 0
        if stood or answered or (useful and self._reason is Reason.PROTOCOL):
            self._consecutive = 0

    def plan(self, cause: Exception, phase: str, attempts: int, now: float) -> float | None:
        """Decide what follows a failure.

        Args:
            cause: The error.
            phase: Where it was; `serve` if a connection was lost.
            attempts: Number of failed attempts since the client was last connected.
            now: The time, in seconds of a monotonic clock.

        Returns:
            The delay before the next attempt, in seconds, or None to give up.
        """
        failure = self._count(cause, phase, now)
        verdict = self._classifier(failure) if self._classifier is not None else None
        if verdict is None:
            if not self._ever_connected and not self.persistent:
                return None
            verdict = classify(failure)
        if not verdict.retry or self._backoff is None or self._backoff.exhausted(attempts):
            return None
        return self._delay(verdict, self._backoff)

    def _count(self, cause: Exception, phase: str, now: float) -> Failure:
        """Count a failure together with the consecutive ones of its kind before it."""
        reason = reason_of(cause)
        if reason is not self._reason or not self._consecutive:
            self._reason = reason
            self._consecutive = 0
            self._row_began = now
        self._consecutive += 1
        self._accepted_before = reason is Reason.PROTOCOL or (
            reason is Reason.REJECTED and isinstance(cause, ConnectionLost)
        )
        return Failure(
            cause,
            phase,
            self._ever_connected,
            self._consecutive,
            seconds=now - self._row_began,
            persistent=self.persistent,
        )

    def _delay(self, verdict: Verdict, backoff: Backoff) -> float:
        delay = 0.0 if verdict.between is None else self._rng.uniform(*verdict.between)
        if verdict.between is None or (verdict.grows and self._delays):
            delay += backoff.delay(self._delays, self._rng)
        self._delays += 1
        self.at_least = verdict.at_least
        return max(delay, verdict.at_least)
