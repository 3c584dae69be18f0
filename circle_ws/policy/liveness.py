"""Is the link alive? A pure machine: the clock and the byte count come in as arguments.

Any inbound byte counts as life. Every `interval` seconds it asks for a sign of life, a WebSocket ping where the
transport has them, else a JSON-RPC probe; when nothing at all comes in for `timeout` seconds after that, the link is
dead. In mode `auto` an unanswered ping is followed by one probe, because some servers never answer pings; a peer that
answers the probe is probed from then on.

A machine or a tab that slept is known by its clocks: the wall clock went on while the monotonic one stood still, or the
moment that was waited for is long past. Then the link is probed at once, and given up soon if it keeps silent; it is
never given up for a timer that came late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

from ..errors import ConfigError

__all__ = ["DOUBT_TIMEOUT", "LAST_PROBE_TIMEOUT", "Action", "KeepAlive", "KeepAliveMode", "Liveness", "Step"]

KeepAliveMode = Literal["auto", "ping", "rpc"]

LAST_PROBE_TIMEOUT = 5.0
"""How long the probe after an unanswered ping is waited for, in seconds."""
DOUBT_TIMEOUT = 3.0
"""How long the probe after a sleep is waited for, in seconds."""
_LATE = 1.0
"""A timer that comes this much after its time may have overtaken what came in meanwhile, in seconds."""


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


class Step(NamedTuple):
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
        now: The monotonic clock, in seconds.
        wall: The wall clock, in seconds.
        received: Bytes received so far.
    """

    __slots__ = (
        "_ahead",
        "_asked",
        "_keepalive",
        "_limit",
        "_mark",
        "_next",
        "_overtaken",
        "_second_chance",
        "_timer",
        "patience",
        "prefers_probe",
    )

    def __init__(self, keepalive: KeepAlive, *, ping: bool, now: float, wall: float, received: int) -> None:
        self._keepalive = keepalive
        self._asked: Action | None = None
        self._limit = now
        self._mark = received
        self._next = now + keepalive.interval
        self._timer = self._next
        self._ahead = wall - now
        self._overtaken = False
        self._second_chance = False
        self.patience = keepalive.timeout
        """How long the latest sign of life is waited for, in seconds."""
        self.prefers_probe = not ping
        """True when the peer is asked by probes; learnt in mode `auto`, worth keeping for the next link."""

    def next(self, now: float, wall: float, received: int) -> Step:
        """Decide the next step.

        Args:
            now: The monotonic clock, in seconds.
            wall: The wall clock, in seconds.
            received: Bytes received so far.
        """
        step = self.doubt(now, received) if self._slept(now, wall) else self._decide(now, received)
        self._timer = step.until
        return step

    def doubt(self, now: float, received: int) -> Step:
        """Ask for a sign of life at once, whatever was asked for before, and wait only shortly for it."""
        action = Action.PING if self._keepalive.mode == "ping" else Action.PROBE
        step = self._ask(action, now, received, DOUBT_TIMEOUT)
        self._timer = step.until
        return step

    def _slept(self, now: float, wall: float) -> bool:
        ahead = wall - now
        gained, self._ahead = ahead - self._ahead, ahead
        interval = self._keepalive.interval
        return gained > interval or now - self._timer > 2 * interval

    def _decide(self, now: float, received: int) -> Step:
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
        if self._second_chance:
            self.prefers_probe = True
        self._asked = None
        self._overtaken = self._second_chance = False

    def _unanswered(self, now: float, received: int) -> Step:
        if self._asked is Action.PING and self._keepalive.mode == "auto":
            self._second_chance = True
            return self._ask(Action.PROBE, now, received, LAST_PROBE_TIMEOUT)
        if now - self._limit > _LATE and not self._overtaken:
            # Once only, or a dead link would live on in a tab whose every timer is late.
            self._overtaken = True
            return self.doubt(now, received)
        return Step(Action.DEAD, now)

    def _ask(self, action: Action, now: float, received: int, timeout: float | None = None) -> Step:
        self._asked = action
        self._mark = received
        self.patience = self._keepalive.timeout if timeout is None else timeout
        self._limit = now + self.patience
        self._next = now + self._keepalive.interval
        return Step(action, min(self._limit, self._next))
