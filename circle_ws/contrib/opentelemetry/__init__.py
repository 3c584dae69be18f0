"""OpenTelemetry: a span for each call and each attempt to connect, and metrics.

The names are those of the semantic conventions for JSON-RPC (opentelemetry-semantic-conventions 0.66). Needs the extra
`otel`, which is `opentelemetry-api` alone: the program brings the SDK and its exporters. What fails in them is logged,
and never fails a call. Neither params nor results are recorded, nor the texts of error responses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ...errors import ConfigError

try:
    from .observer import Telemetry
except ModuleNotFoundError as _error:
    raise ImportError(f"OpenTelemetry needs {_error.name}: pip install 'circle-ws[otel]'") from _error

if TYPE_CHECKING:
    from collections.abc import Collection

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from ...builder import CircleWsClientBuilder

__all__ = ["instrument"]

B = TypeVar("B", bound="CircleWsClientBuilder")


def instrument(
    builder: B,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    methods: Collection[str] | None = None,
    propagate: str | None = None,
) -> B:
    """Record spans and metrics of every client that the builder makes.

    Args:
        builder: It stays as it is.
        tracer_provider: Of the spans; by default the global one.
        meter_provider: Of the metrics; by default the global one.
        methods: The names of methods that are recorded; all others are recorded as `_OTHER`. By default every name is
            recorded; a program that calls methods by names from elsewhere should give a list.
        propagate: The name of a param that hands the trace on, for a circle that knows it: `_meta` puts
            `"_meta": {"traceparent": "00-..."}` into the params of every call whose params are a dict. All other params
            are sent as they are. By default nothing is added: circles may refuse a param that they do not know.

    Returns:
        A new builder. Its clients record until they are closed, also where they are built by `build_sync()`.

    Raises:
        ConfigError: `methods` is a text, or `propagate` is not a name.
    """
    if isinstance(methods, str):
        raise ConfigError("methods must be a collection of names, not a text", option="methods")
    if propagate is not None and not (isinstance(propagate, str) and propagate):
        raise ConfigError("propagate must be the name of a param, such as '_meta', or None", option="propagate")
    telemetry = Telemetry(tracer_provider, meter_provider, methods, propagate)
    return builder._instrumented(telemetry.make)
