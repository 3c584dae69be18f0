"""After a failure: whether to connect again, and when. Counts what the policy and the back-off have to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ConnectionLost
from .policy import Failure, Reason, Verdict, classify, reason_of

if TYPE_CHECKING:
    import random

    from .backoff import Backoff
    from .policy import Classifier

__all__ = ["Recovery"]


class Recovery:
    """Plan the way back of one client.

    Args:
        backoff: When to try again; None never does.
        classifier: Answers before the policy; None leaves everything to that.
        persistent: Whether a client that was never connected keeps trying.
        rng: Where the randomness comes from.
    """

    __slots__ = (
        "_backoff",
        "_classifier",
        "_consecutive",
        "_delays",
        "_ever_connected",
        "_let_in_before",
        "_persistent",
        "_reason",
        "_rng",
        "at_least",
    )

    def __init__(
        self, backoff: Backoff | None, classifier: Classifier | None, *, persistent: bool, rng: random.Random
    ) -> None:
        self._backoff = backoff
        self._classifier = classifier
        self._persistent = persistent
        self._rng = rng
        self._ever_connected = False
        self._delays = 0
        self._reason: Reason | None = None
        self._consecutive = 0
        self._let_in_before = False
        """Whether the peer lets the client in before it does what is counted, so that being let in ends no row."""
        self.at_least = 0.0
        """So much of the latest delay is the server's wish, in seconds."""

    def connected(self) -> None:
        """Learn that the client is connected."""
        self._ever_connected = True
        if not self._let_in_before:
            self._consecutive = 0

    def lost(self, uptime: float, *, answered: bool) -> None:
        """Learn how a link was that is lost now.

        Args:
            uptime: How long it stood, signed in, in seconds.
            answered: Whether any call was answered on it.
        """
        stood = self._backoff is not None and uptime >= self._backoff.reset_after
        if stood:
            self._delays = 0
        if answered or (stood and self._reason is Reason.REJECTED):
            self._consecutive = 0

    def plan(self, cause: Exception, phase: str, attempts: int) -> float | None:
        """Decide what follows a failure.

        Args:
            cause: The error.
            phase: Where it was; `serve` when a link was lost.
            attempts: How many attempts have failed since the client was last connected.

        Returns:
            The delay before the next attempt, in seconds, or None to give up.
        """
        reason = reason_of(cause)
        self._consecutive = self._consecutive + 1 if reason is self._reason else 1
        self._reason = reason
        self._let_in_before = reason is Reason.PROTOCOL or (
            reason is Reason.REJECTED and isinstance(cause, ConnectionLost)
        )
        failure = Failure(cause, phase, self._ever_connected, self._consecutive)
        verdict = self._classifier(failure) if self._classifier is not None else None
        if verdict is None:
            if not self._ever_connected and not self._persistent:
                return None
            verdict = classify(failure)
        if not verdict.retry or self._backoff is None or self._backoff.exhausted(attempts):
            return None
        return self._delay(verdict, self._backoff)

    def _delay(self, verdict: Verdict, backoff: Backoff) -> float:
        if verdict.between is not None:
            delay = self._rng.uniform(*verdict.between)
        else:
            delay = backoff.delay(self._delays, self._rng)
        self._delays += 1
        self.at_least = verdict.at_least
        return max(delay, verdict.at_least)
