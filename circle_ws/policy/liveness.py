"""The heartbeat as a pure state machine: the clock and the byte count come in as arguments.

Every `interval` seconds the peer is sent a heartbeat: a WebSocket ping where the transport has them, else a probe, a
JSON-RPC request. If no byte at all arrives for `timeout` seconds after that, the connection is dead. In mode `auto` an
unanswered ping is followed by one probe, because some servers never answer pings; a peer that answers the probe gets
probes from then on.

A suspended machine or tab is recognised by its clocks: the wall clock advanced more than the monotonic one, or a timer
fired far too late. Then the connection is probed at once with a short timeout. A late timer alone never ends it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

from ..errors import ConfigError

__all__ = ["PROMPT_PROBE_TIMEOUT", "LAST_PROBE_TIMEOUT", "Action", "KeepAlive", "KeepAliveMode", "Liveness", "Step"]

KeepAliveMode = Literal["auto", "ping", "rpc"]

LAST_PROBE_TIMEOUT = 5.0
"""Timeout of the probe after an unanswered ping, in seconds."""
PROMPT_PROBE_TIMEOUT = 3.0
"""Timeout of the probe after the host was suspended, in seconds."""
_LATE = 1.0
"""From this lateness on, in seconds, a timer may have run before messages that arrived earlier were read."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """How a dead connection is detected.

    Attributes:
        interval: Seconds between two heartbeats.
        timeout: Seconds without any inbound byte after a heartbeat, until the connection is given up.
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
    """What to do next about a connection."""

    WAIT = "wait"
    PING = "ping"
    PROBE = "probe"
    DEAD = "dead"


class Step(NamedTuple):
    """What to do now, and when to ask `Liveness` again.

    Attributes:
        action: Wait, send a ping, send a probe, or close the connection.
        until: When to ask again, in seconds of the clock that was passed in.
    """

    action: Action
    until: float


class Liveness:
    """The heartbeat of one connection.

    Args:
        keepalive: The times and the mode.
        ping: Whether ping frames can be sent and the peer may answer them.
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
        "timeout",
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
        self.timeout: float = keepalive.timeout
        """The timeout of the latest heartbeat, in seconds."""
        self.prefers_probe: bool = not ping
        """Whether probes are sent instead of pings. Found out in mode `auto`; the next connection should know it."""

    def next(self, now: float, wall: float, received: int) -> Step:
        """Decide the next step.

        Args:
            now: The monotonic clock, in seconds.
            wall: The wall clock, in seconds.
            received: Bytes received so far.
        """
        step = self.probe_now(now, received) if self._slept(now, wall) else self._decide(now, received)
        self._timer = step.until
        return step

    def probe_now(self, now: float, received: int) -> Step:
        """Return a heartbeat to send at once, with a short timeout: the host may have been suspended."""
        action = Action.PING if self._keepalive.mode == "ping" else Action.PROBE
        step = self._ask(action, now, received, PROMPT_PROBE_TIMEOUT)
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
                self.prefers_probe = self.prefers_probe or self._second_chance
                self._asked = None
                self._overtaken = self._second_chance = False
            elif now >= self._limit:
                return self._unanswered(now, received)
            else:
                return Step(Action.WAIT, self._next if now < self._next < self._limit else self._limit)
        if now >= self._next:
            return self._ask(Action.PROBE if self.prefers_probe else Action.PING, now, received)
        return Step(Action.WAIT, self._next)

    def _unanswered(self, now: float, received: int) -> Step:
        if self._asked is Action.PING and self._keepalive.mode == "auto":
            self._second_chance = True
            return self._ask(Action.PROBE, now, received, LAST_PROBE_TIMEOUT)
        if now - self._limit > _LATE and not self._overtaken:
            # Once only: in a throttled tab every timer is late, and a dead connection would never be given up.
            self._overtaken = True
            return self.probe_now(now, received)
        return Step(Action.DEAD, now)

    def _ask(self, action: Action, now: float, received: int, timeout: float | None = None) -> Step:
        self._asked = action
        self._mark = received
        self.timeout = self._keepalive.timeout if timeout is None else timeout
        self._limit = now + self.timeout
        self._next = now + self._keepalive.interval
        return Step(action, min(self._limit, self._next))
