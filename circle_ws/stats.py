"""What a client has done so far, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClientStats", "Counters"]

_SMOOTHING = 1 / 8
"""How much a new round trip weighs: RFC 6298 section 2, alpha."""


@dataclass(frozen=True, slots=True)
class ClientStats:
    """Tell what a client has done since it was made, over all its connections.

    Attributes:
        connects: How often it became ready.
        reconnects: How often of these by itself, after a link was lost.
        calls: Calls that were made.
        failures: Calls that ended with an error; a cancelled one is none.
        notifications: Notifications that came in.
        dropped: Notifications that were dropped because a listener was slow, each once for each listener.
        ignored_replies: Replies that nobody waited for: late, duplicate, or with an unknown id.
        protocol_errors: What `on_protocol_error` is told of.
        bytes_in: Size of the messages that came in, in bytes of UTF-8.
        bytes_out: Size of the messages that were written, in bytes of UTF-8.
        latency_last: The latest round trip of a keep-alive's ping or probe, in seconds; None before the first.
        latency_smoothed: Their moving average (RFC 6298), in seconds; None before the first.
        connected_since: Since when it is connected, in seconds since 1970 (Unix time); None while it is not.
        lag: In a page that is in a flood of notifications, how long the message that was taken last had waited there,
            in seconds; 0 where there is no flood. What waits in the browser itself is not seen. None natively, and
            while it is not connected.
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
    """Count; one writer a number. The numbers are those of `ClientStats`."""

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
        """Learn how long a ping or a probe took."""
        self.latency_last = seconds
        smoothed = self.latency_smoothed
        self.latency_smoothed = seconds if smoothed is None else smoothed + _SMOOTHING * (seconds - smoothed)

    def snapshot(self, connected_since: float | None, lag: float | None = None) -> ClientStats:
        """Give the numbers as they stand."""
        numbers = {name: getattr(self, name) for name in self.__slots__}
        return ClientStats(**numbers, connected_since=connected_since, lag=lag)
