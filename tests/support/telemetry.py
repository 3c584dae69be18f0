"""What OpenTelemetry records in a test, by the real SDK."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from circle_ws import CircleWsClientBuilder
from circle_ws.contrib.opentelemetry import instrument
from tests.support.clients import KEY, QUICK

__all__ = ["RESOURCE", "Recorded", "attributes", "context", "linked", "recorded"]

RESOURCE = Resource({"service.name": "tests"})
"""Given, because the SDK looks for one in threads, which a page has not."""


class Recorded:
    """All that is recorded in a test."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader], RESOURCE, shutdown_on_exit=False)

    def builder(self, url: str, **options: Any) -> CircleWsClientBuilder:
        builder = CircleWsClientBuilder(url).with_keypair(KEY).with_reconnect(backoff=QUICK)
        return instrument(builder, tracer_provider=self.tracers, meter_provider=self.meters, **options)

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """The spans that have ended, of this name."""
        return [span for span in self._exporter.get_finished_spans() if name in (None, span.name)]

    def calls(self) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.name != "circle_ws.connect"]

    def points(self, name: str) -> list[Any]:
        """The data points of a metric, as they are now."""
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data is not None else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def values(self, name: str) -> list[Any]:
        return [point.value for point in self.points(f"circle_ws.client.{name}")]


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    recorded = Recorded()
    yield recorded
    recorded.tracers.shutdown()
    recorded.meters.shutdown()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def context(span: ReadableSpan) -> trace.SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def linked(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]
