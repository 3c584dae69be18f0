"""The statistics of a client."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClientStats", "Counters"]

_SMOOTHING = 1 / 8
"""Weight of a new round trip in the moving average: alpha in RFC 6298 section 2."""


@dataclass(frozen=True, slots=True)
class ClientStats:
    """The statistics of a client since it was made, over all its connections.

    Attributes:
        connects: Number of times that the client became ready.
        reconnects: How many of these were reconnects after a lost connection.
        calls: Number of calls.
        failures: Number of calls that ended with an error; cancelled ones do not count.
        notifications: Number of notifications received.
        dropped: Number of notifications dropped because a listener was slow, counted for each listener.
        ignored_replies: Number of replies to no open call: late, duplicate, or with an unknown id.
        protocol_errors: Number of errors reported to `on_protocol_error`.
        bytes_in: Size of the received messages, in bytes of UTF-8.
        bytes_out: Size of the written messages, in bytes of UTF-8.
        latency_last: Round-trip time of the latest heartbeat, in seconds; None before the first.
        latency_smoothed: Moving average of these (RFC 6298), in seconds; None before the first.
        connected_since: Time of the present connection, in seconds since 1970 (Unix time); None while disconnected.
        lag: In a page during a flood of notifications: how long the last processed message waited in the page, in
            seconds; 0 without a flood. Messages that wait in the browser itself are not seen. None natively, and while
            disconnected.
    """

    connects: int
    reconnects: int
    calls: int
    failures: int
    notifications: int
    dropped: int
    ignored_replies: int
    protocol_errors: int
    bytes_in: int
    bytes_out: int
    latency_last: float | None
    latency_smoothed: float | None
    connected_since: float | None
    lag: float | None = None


class Counters:
    """The counters behind `ClientStats`; each has one writer."""

    __slots__ = tuple(name for name in ClientStats.__slots__ if name not in ("connected_since", "lag"))

    connects: int
    reconnects: int
    calls: int
    failures: int
    notifications: int
    dropped: int
    ignored_replies: int
    protocol_errors: int
    bytes_in: int
    bytes_out: int
    latency_last: float | None
    latency_smoothed: float | None

    def __init__(self) -> None:
        self.connects = self.reconnects = 0
        self.calls = self.failures = 0
        self.notifications = self.dropped = 0
        self.ignored_replies = self.protocol_errors = 0
        self.bytes_in = self.bytes_out = 0
        self.latency_last = self.latency_smoothed = None

    def round_trip(self, seconds: float) -> None:
        """Record the round-trip time of a ping or a probe."""
        self.latency_last = seconds
        smoothed = self.latency_smoothed
        self.latency_smoothed = seconds if smoothed is None else smoothed + _SMOOTHING * (seconds - smoothed)

    def snapshot(self, connected_since: float | None, lag: float | None = None) -> ClientStats:
        """Return the present numbers."""
        numbers = {name: getattr(self, name) for name in self.__slots__}
        return ClientStats(**numbers, connected_since=connected_since, lag=lag)
