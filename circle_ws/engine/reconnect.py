"""The timer between two attempts to connect, and the events that end it early."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionFailed
from ..policy import Verdict
from ..policy.reconnect import ReconnectPolicy
from ..transport import host_events
from ..urls import is_loopback
from .wakeup import Wakeup

if TYPE_CHECKING:
    from ..config import ClientConfig
    from ..policy import Classifier, Failure

__all__ = ["ReconnectTimer"]

_logger = logging.getLogger("circle_ws.callbacks")

_RANDOM = random.SystemRandom()
"""Source of all delays. It has no state: none for each client, none that forked processes would share, and none that a
program sets by seeding the module `random`."""
_JUST_AWOKE = 10.0
"""If a connection is lost within this time after the host awoke, in seconds, the next attempt has no delay."""


class ReconnectTimer:
    """The delays between the attempts of one client.

    Args:
        config: The options.

    Attributes:
        policy: The policy, with its memory of earlier attempts.
        url: The circle; None until a function has returned it.
    """

    __slots__ = ("_awoke_at", "_due", "_forced", "_hurried", "_not_before", "_wakeup", "policy", "url")

    def __init__(self, config: ClientConfig) -> None:
        self.url: str | None = config.fixed_url
        backoff = config.backoff
        rng = _RANDOM if backoff is None or backoff.seed is None else random.Random(backoff.seed)
        self.policy: ReconnectPolicy = ReconnectPolicy(
            backoff, _guarded(config.classifier), persistent=config.first_connect == "retry", rng=rng
        )
        self._wakeup = Wakeup()
        self._due: float | None = None
        """Time of the next attempt, on the event loop's clock; None unless one is waited for."""
        self._not_before = 0.0
        """Earliest time of an attempt that the server asked for."""
        self._hurried = False
        self._forced = False
        self._awoke_at = -math.inf

    @property
    def waiting(self) -> bool:
        """Whether the next attempt is waited for."""
        return self._due is not None

    def plan(self, cause: Exception, phase: str, attempts: int) -> float | None:
        """Return the delay after a failure, or None to give up; the arguments are those of `ReconnectPolicy.plan`."""
        hurried, self._hurried = self._hurried, False
        awoke_at, self._awoke_at = self._awoke_at, -math.inf
        if hurried:
            self.policy.at_least = 0.0
            return 0.0
        now = asyncio.get_running_loop().time()
        delay = self.policy.plan(cause, phase, attempts, now)
        just_awoke = now - awoke_at < _JUST_AWOKE
        return self.policy.at_least if delay is not None and just_awoke else delay

    def check_reachable(self) -> None:
        """Check that the circle can be reached while the browser says that it is offline.

        Raises:
            ConnectionFailed: It cannot: it is on another machine.
        """
        if not self._may_dial():
            raise ConnectionFailed("the browser says that it is offline; other machines are dialled when it is online")

    async def wait(self, delay: float) -> None:
        """Wait for `delay` seconds, and longer while the browser is offline."""
        loop = asyncio.get_running_loop()
        self._forced = False
        self._not_before = loop.time() + self.policy.at_least
        self._due = loop.time() + delay
        try:
            # At least one turn of the loop: without a delay, attempts that fail at once would never let others run.
            await asyncio.sleep(0)
            while not self._forced:
                is_due = loop.time() >= self._due
                if is_due and self._may_dial():
                    break
                await self._wakeup.wait(math.inf if is_due else self._due)
        finally:
            self._due = None

    def _may_dial(self) -> bool:
        # While a browser says that it is offline, only loopback can work.
        return not host_events.offline or self._forced or self.url is None or is_loopback(self.url)

    def skip(self) -> None:
        """End the present wait, also while the browser says that it is offline: it can be wrong."""
        self._forced = True
        self._wakeup.wake()

    def hurry(self) -> None:
        """Make an attempt without a delay after the next failure."""
        self._hurried = True

    def host_awoke(self) -> None:
        """Skip the delay once, down to the server's minimum: the host may have been suspended, or is online again."""
        now = asyncio.get_running_loop().time()
        if self._due is None:
            self._awoke_at = now
        else:
            self._due = min(self._due, max(self._not_before, now))
            self._wakeup.wake()


def _guarded(classifier: Classifier | None) -> Classifier | None:
    """Return a user's classifier that runs in a context of its own; if it fails, the policy decides."""
    if classifier is None:
        return None

    def ask(failure: Failure) -> Verdict | None:
        try:
            verdict: Any = copy_context().run(classifier, failure)
        except (Exception, asyncio.CancelledError):
            _logger.exception("the classifier raised; the default policy decides")
            return None
        if verdict is None or isinstance(verdict, Verdict):
            return verdict
        _logger.error(
            "the classifier returned %s instead of a Verdict or None; the default policy decides",
            type(verdict).__name__,
        )
        return None

    return ask
