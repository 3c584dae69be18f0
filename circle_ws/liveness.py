"""Is the link alive? A pure machine: the clock and the byte count come in as arguments.

Any inbound byte counts as life. Every `interval` seconds it asks for a sign of life, a WebSocket ping where the
transport has them, else a JSON-RPC probe; when nothing at all comes in for `timeout` seconds after that, the link is
dead. In mode `auto` an unanswered ping is followed by one probe, because some servers never answer pings; a peer that
answers the probe is probed from then on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from .errors import ConfigError

__all__ = ["LAST_PROBE_TIMEOUT", "Action", "KeepAlive", "KeepAliveMode", "Liveness", "Step"]

KeepAliveMode = Literal["auto", "ping", "rpc"]

LAST_PROBE_TIMEOUT = 5.0
"""How long the probe after an unanswered ping is waited for, in seconds."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Say how a link is watched.

    Attributes:
        interval: Seconds between two signs of life that are asked for.
        timeout: Seconds without any inbound byte after asking, until the link is given up.
        mode: `ping` (WebSocket ping frames), `rpc` (the request `rpc.ping`), or `auto`: ping frames where the runtime
            has them, with `rpc` as the second chance; `rpc` in a browser.

    Raises:
        ConfigError: A time is not positive and finite, or the mode is unknown.
    """

    interval: float
    timeout: float = 20.0
    mode: KeepAliveMode = "auto"

    def __post_init__(self) -> None:
        for name in ("interval", "timeout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ConfigError(
                    f"keepalive.{name} must be a positive number of seconds, not {value!r}; "
                    "to turn keep-alive off, use without_keepalive() or keepalive=None",
                    option="keepalive",
                )
        if self.mode not in ("auto", "ping", "rpc"):
            raise ConfigError(f"keepalive.mode must be 'auto', 'ping' or 'rpc', not {self.mode!r}", option="keepalive")


class Action(Enum):
    """Say what to do next about a link."""

    WAIT = "wait"
    PING = "ping"
    PROBE = "probe"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Step:
    """Say what to do, and until when to wait before asking again.

    Attributes:
        action: Wait, send a ping, send a probe, or give the link up.
        until: On the clock that was passed in, in seconds.
    """

    action: Action
    until: float


class Liveness:
    """Watch one link.

    Args:
        keepalive: The times and the mode.
        ping: Whether ping frames can be sent and the peer is known or hoped to answer them.
        now: The clock, in seconds.
        received: Bytes received so far.
    """

    __slots__ = ("_asked", "_keepalive", "_limit", "_mark", "_next", "prefers_probe")

    def __init__(self, keepalive: KeepAlive, *, ping: bool, now: float, received: int) -> None:
        self._keepalive = keepalive
        self._asked: Action | None = None
        self._limit = now
        self._mark = received
        self._next = now + keepalive.interval
        self.prefers_probe = not ping
        """True when the peer is asked by probes; learnt in mode `auto`, worth keeping for the next link."""

    def next(self, now: float, received: int) -> Step:
        """Decide the next step at the time `now`, `received` bytes having come in so far."""
        if self._asked is not None:
            if received != self._mark:
                self._settle()
            elif now >= self._limit:
                return self._unanswered(now, received)
            else:
                return Step(Action.WAIT, self._next if now < self._next < self._limit else self._limit)
        if now >= self._next:
            return self._ask(Action.PROBE if self.prefers_probe else Action.PING, now, received)
        return Step(Action.WAIT, self._next)

    def _settle(self) -> None:
        if self._asked is Action.PROBE:
            self.prefers_probe = True
        self._asked = None

    def _unanswered(self, now: float, received: int) -> Step:
        if self._asked is Action.PING and self._keepalive.mode == "auto":
            return self._ask(Action.PROBE, now, received, LAST_PROBE_TIMEOUT)
        return Step(Action.DEAD, now)

    def _ask(self, action: Action, now: float, received: int, timeout: float | None = None) -> Step:
        self._asked = action
        self._mark = received
        self._limit = now + (self._keepalive.timeout if timeout is None else timeout)
        self._next = now + self._keepalive.interval
        return Step(action, min(self._limit, self._next))
