"""The way back to a link: when the next attempt is made, the wait for it, and what ends the wait early."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ..policy import Verdict
from ..policy.reconnect import Recovery
from ..transport import host_events
from ..urls import is_loopback
from .wakeup import settle

if TYPE_CHECKING:
    from ..config import ClientConfig
    from ..policy import Classifier, Failure

__all__ = ["Reconnect"]

_logger = logging.getLogger("circle_ws")

_RANDOM = random.SystemRandom()
"""Draws the delays of every client. It has no state that each would have to hold, or that would be the same in forked
processes, or that a program sets when it seeds the module `random`."""
_AWAKE = 10.0
"""A link that is lost so soon after the machine or the page awoke is dialled anew without a delay, in seconds."""


class Reconnect:
    """Plan and wait for the attempts of one client.

    Args:
        config: The options.
    """

    __slots__ = ("_awoke_at", "_config", "_forced", "_hurried", "_not_before", "_over", "recovery")

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self.recovery = Recovery(
            config.backoff, _guarded(config.classifier), persistent=config.first_connect == "retry", rng=_RANDOM
        )
        """What it has to know of earlier attempts."""
        self._over: asyncio.Future[None] | None = None
        self._not_before = 0.0
        self._hurried = False
        self._forced = False
        self._awoke_at = -math.inf

    @property
    def waiting(self) -> bool:
        """Whether the next attempt is waited for."""
        return self._over is not None and not self._over.done()

    @property
    def may_dial(self) -> bool:
        """Whether dialling makes sense: not while a browser says that it is offline, loopback excepted."""
        return self._forced or not host_events.offline or is_loopback(self._config.url)

    def plan(self, cause: Exception, phase: str, attempts: int) -> float | None:
        """Decide what follows a failure; the arguments and the result are as in `Recovery.plan`."""
        hurried, self._hurried = self._hurried, False
        awoke_at, self._awoke_at = self._awoke_at, -math.inf
        if hurried:
            self.recovery.at_least = 0.0
            return 0.0
        now = asyncio.get_running_loop().time()
        delay = self.recovery.plan(cause, phase, attempts, now)
        just_awoke = now - awoke_at < _AWAKE
        return self.recovery.at_least if delay is not None and just_awoke else delay

    async def wait(self, delay: float) -> None:
        """Wait for `delay` seconds, and as long as dialling makes no sense."""
        self._forced = False
        loop = asyncio.get_running_loop()
        self._not_before = loop.time() + self.recovery.at_least
        self._over = over = loop.create_future()
        timer = loop.call_later(delay, self._end, over)
        try:
            await over
        finally:
            timer.cancel()

    def skip(self) -> None:
        """Make the next attempt now, whatever speaks against it: a browser can be wrong about being offline."""
        self._forced = True
        if self._over is not None:
            settle(self._over)

    def hurry(self) -> None:
        """Make the attempt that follows a failure at once."""
        self._hurried = True

    def awake(self) -> None:
        """Learn that the machine or the page may have slept, or is online again: skip the delay, once.

        What the server itself asked for is waited for.
        """
        if self._over is None or self._over.done():
            self._awoke_at = asyncio.get_running_loop().time()
        else:
            loop = self._over.get_loop()
            loop.call_later(max(self._not_before - loop.time(), 0), self._end, self._over)

    def _end(self, over: asyncio.Future[None]) -> None:
        if self.may_dial:
            settle(over)


def _guarded(classifier: Classifier | None) -> Classifier | None:
    """Return a user's classifier that has a context of its own; one that fails leaves the answer to the policy."""
    if classifier is None:
        return None

    def ask(failure: Failure) -> Verdict | None:
        try:
            verdict: Any = copy_context().run(classifier, failure)
        except (Exception, asyncio.CancelledError):
            _logger.exception("the classifier raised; the client does what it does without one")
            return None
        if verdict is None or isinstance(verdict, Verdict):
            return verdict
        _logger.error(
            "the classifier gave %s, and neither a Verdict nor None; the client does what it does without one",
            type(verdict).__name__,
        )
        return None

    return ask
