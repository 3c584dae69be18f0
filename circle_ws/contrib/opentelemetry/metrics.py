"""The metrics of clients: the durations of their calls, and their statistics."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from opentelemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Histogram, MeterProvider, Observation
    from opentelemetry.util.types import AttributeValue

    from ...stats import Counters

__all__ = ["SCOPE", "Metrics", "metrics_of"]

SCOPE = "circle_ws"
"""The instrumentation scope of spans and metrics."""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bounds for `rpc.client.call.duration`, in seconds, as the conventions recommend them."""
_MAX_CODES = 100
"""Maximum number of codes of error responses that metrics tell apart."""
_COUNTERS = {
    "connects": ("{connection}", "Number of times that a client became ready."),
    "reconnects": ("{connection}", "How many of these were reconnects after a lost connection."),
    "notifications": ("{notification}", "Number of notifications received."),
    "dropped": ("{notification}", "Number of notifications dropped because a listener was slow."),
    "ignored_replies": ("{reply}", "Number of replies to no open call."),
    "protocol_errors": ("{error}", "Number of errors of the circle that fail no call."),
    "bytes_in": ("By", "Size of the received messages."),
    "bytes_out": ("By", "Size of the written messages."),
}
"""The fields of `ClientStats` that only grow. `calls` and `failures` are in the histogram."""


class Metrics:
    """The instruments of one meter provider, and the clients that they observe.

    Counters of clients that are gone are added up: what a counter tells must never shrink.
    """

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = metrics.get_meter(SCOPE, meter_provider=provider)
        self.duration: Histogram = meter.create_histogram(
            "rpc.client.call.duration",
            "s",
            "Measures the duration of an outgoing Remote Procedure Call (RPC).",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._codes: set[str] = set()
        self._lock = threading.Lock()
        self._watched: dict[ref[Any], tuple[Counters, tuple[tuple[str, AttributeValue], ...]]] = {}
        self._gone: deque[ref[Any]] = deque()
        self._sums: dict[tuple[str, tuple[tuple[str, AttributeValue], ...]], int] = {}
        for name, (unit, words) in _COUNTERS.items():
            meter.create_observable_counter(f"circle_ws.client.{name}", [self._sum_of(name)], unit, words)
        words = "Number of clients that are connected."
        meter.create_observable_up_down_counter("circle_ws.client.connected", [self._connected], "{client}", words)
        words = "Smoothed round-trip time of the heartbeats, of the client where it is longest."
        meter.create_observable_gauge("circle_ws.client.latency", [self._longest("latency_smoothed")], "s", words)
        words = "How long the last processed message waited in the page, of the client where it is longest."
        meter.create_observable_gauge("circle_ws.client.lag", [self._longest("lag")], "s", words)

    def known_code(self, code: str) -> str:
        """Return the code of an error response as metrics record it: a circle may make up any number of codes."""
        if code not in self._codes:
            if len(self._codes) >= _MAX_CODES:
                return "_OTHER"
            self._codes.add(code)
        return code

    def watch(self, client: Any, server: dict[str, AttributeValue]) -> None:
        """Observe a client, async or blocking, until it is garbage-collected."""
        counters = getattr(client, "_client", client)._supervisor.counters
        with self._lock:
            self._add_up()
            # A client may be collected at any time and in any thread, so this only notes which.
            self._watched[ref(client, self._gone.append)] = counters, tuple(server.items())

    def _add_up(self) -> None:
        while self._gone:
            counters, server = self._watched.pop(self._gone.popleft())
            for name in _COUNTERS:
                self._sums[name, server] = self._sums.get((name, server), 0) + getattr(counters, name)

    def _sum_of(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            with self._lock:
                self._add_up()
                sums = {server: value for (one, server), value in self._sums.items() if one == name}
                for counters, server in self._watched.values():
                    sums[server] = sums.get(server, 0) + getattr(counters, name)
            return [metrics.Observation(value, dict(server)) for server, value in sums.items()]

        return observe

    def _connected(self, _: CallbackOptions) -> Iterable[Observation]:
        counts: dict[Any, int] = {}
        for client, server in self._clients():
            counts[server] = counts.get(server, 0) + client.is_connected()
        return [metrics.Observation(count, dict(server)) for server, count in counts.items()]

    def _longest(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            longest: dict[Any, float] = {}
            for client, server in self._clients():
                if client.is_connected() and (seconds := getattr(client.stats, name)) is not None:
                    longest[server] = max(seconds, longest.get(server, 0.0))
            return [metrics.Observation(seconds, dict(server)) for server, seconds in longest.items()]

        return observe

    def _clients(self) -> list[tuple[Any, Any]]:
        with self._lock:
            watched = [(client(), server) for client, (_, server) in self._watched.items()]
        return [(client, server) for client, server in watched if client is not None]


class _Global:
    """Stands for the global meter provider, which may be set later."""


_GLOBAL = _Global()
_metrics: WeakKeyDictionary[object, Metrics] = WeakKeyDictionary()
"""For each meter provider its instruments: made twice, they would be reported twice."""
_metrics_lock = threading.Lock()


def metrics_of(provider: MeterProvider | None) -> Metrics:
    """Return the instruments of a meter provider; None is the global one."""
    key = _GLOBAL if provider is None else provider
    with _metrics_lock:
        if (found := _metrics.get(key)) is None:
            found = _metrics[key] = Metrics(provider)
        return found
