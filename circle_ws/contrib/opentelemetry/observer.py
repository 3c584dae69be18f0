"""What is recorded of one client: a span for each call and for each attempt to connect."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ...client import CircleWsClient
from ...engine.observers import described
from ...errors import CircleWsError, ConnectionFailed, RpcError
from ...status import ConnectionStatus as Status
from ...urls import host_of, normalised, port_of
from .metrics import SCOPE, metrics_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextvars import Token

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, SpanContext, Tracer, TracerProvider
    from opentelemetry.util.types import AttributeValue

    from ...config import ClientConfig
    from ...hooks import CallNext, Request
    from ...status import StatusChange
    from .metrics import Metrics

__all__ = ["Telemetry"]

_logger = logging.getLogger("circle_ws.opentelemetry")

C = TypeVar("C")

_ANOTHER_METHOD = "_OTHER"
_NETWORK: dict[str, AttributeValue] = {"network.protocol.name": "websocket", "network.transport": "tcp"}


class Telemetry:
    """The tracer, the instruments and the options of one `instrument()`."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
        methods: Collection[str] | None,
        propagate: str | None,
    ) -> None:
        self.tracer: Tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self.metrics: Metrics = metrics_of(meter_provider)
        self.methods: frozenset[str] | None = None if methods is None else frozenset(methods)
        self.propagate = propagate

    def make(self, config: ClientConfig, make: Callable[[ClientConfig], C]) -> C:
        """Make a client of either kind that is observed."""
        observer = _Observer(self, config.fixed_url)
        is_async = make is CircleWsClient
        middleware: Any = observer.around if is_async else observer.around_blocking
        # The outermost one: retries of the program's own belong to the call.
        client: Any = make(replace(config, middleware=(middleware, *config.middleware)))
        # The callbacks of a blocking client run in threads, unless they are async.
        client.on_status(observer.changed if is_async else observer.changed_async)
        with observer.harmless():
            self.metrics.watch(client, observer.server)
        made: C = client
        return made


class _Observer:
    """The telemetry of one client. It has no reference to the client, which may be dropped.

    Args:
        telemetry: Where it is recorded.
        url: The circle; None where a function returns another one at each attempt.

    Attributes:
        telemetry: Where it is recorded.
        server: The attributes that name the circle.
        connection: The span of the attempt that the present connection, or the latest one, came from.
    """

    def __init__(self, telemetry: Telemetry, url: str | None) -> None:
        self.telemetry = telemetry
        self.server: dict[str, AttributeValue] = {}
        if url is not None:
            parts = urlsplit(normalised(url))
            self.server = {"server.address": host_of(parts), "server.port": port_of(parts)}
        self.connection: SpanContext | None = None
        self._attempt: Span | None = None
        self._previous: SpanContext | None = None
        self._warned = False

    @contextmanager
    def harmless(self) -> Iterator[None]:
        """Log what telemetry raises, the first time as a warning: it must not fail what it observes."""
        try:
            yield
        except Exception:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            _logger.log(level, "telemetry failed, which changes nothing else", exc_info=True)

    # Calls.

    async def around(self, request: Request, call_next: CallNext) -> Any:
        """Observe a call or a batch: the middleware of an async client."""
        with _Observed(self, request) as observed:
            observed.result = await call_next(observed.request)
            return observed.result

    def around_blocking(self, request: Request, call_next: Callable[[Request], Any]) -> Any:
        """Observe a call or a batch: the middleware of a blocking client."""
        with _Observed(self, request) as observed:
            observed.result = call_next(observed.request)
            return observed.result

    # Attempts to connect.

    def changed(self, change: StatusChange) -> None:
        """Begin the span of an attempt, or end it."""
        with self.harmless():
            if change.status is Status.CONNECTING:
                self._begin(change)
            elif self._attempt is not None and change.status is not Status.AUTHENTICATING:
                self._end(self._attempt, change)
                self._attempt = None

    async def changed_async(self, change: StatusChange) -> None:
        """Do the same, without waiting for anything."""
        self.changed(change)

    def _begin(self, change: StatusChange) -> None:
        attributes = {**self.server, **_NETWORK, "circle_ws.attempt": change.attempt}
        # A root: the request of a program that happened to connect first is long over when the client reconnects.
        self._attempt = self.telemetry.tracer.start_span(
            "circle_ws.connect",
            Context(),
            SpanKind.CLIENT,
            attributes,
            _links(self._previous),
            start_time=_nanoseconds(change.at),
        )
        self._previous = self._attempt.get_span_context()

    def _end(self, span: Span, change: StatusChange) -> None:
        if change.status is Status.CONNECTED:
            self.connection = span.get_span_context()
        else:
            _fail(span, "cancelled" if change.cause is None else _type_of(change.cause), change.cause)
            if isinstance(change.cause, ConnectionFailed) and change.cause.http_status is not None:
                span.set_attribute("http.response.status_code", change.cause.http_status)
        span.end(_nanoseconds(change.at))


class _Observed:
    """One request in progress: a span and a measurement for each call in it, but for notifications.

    Attributes:
        request: The request to send.
        result: Its result, once it is there.
    """

    __slots__ = ("_began", "_calls", "_connection", "_observer", "_token", "request", "result")

    def __init__(self, observer: _Observer, request: Request) -> None:
        self._observer = observer
        self._connection = observer.connection
        self._calls: list[tuple[Span, dict[str, AttributeValue]] | None] = []
        self._token: Token[Context] | None = None
        self.request = request
        self.result: Any = None

    def __enter__(self) -> _Observed:
        self._began = perf_counter()
        with self._observer.harmless():
            if self.request.batch:
                self.request = replace(self.request, batch=tuple(map(self._start, self.request.batch)))
            else:
                self.request = self._start(self.request)
                call = self._calls[0]
                # Only in a batch: a notification by itself passes no middleware.
                assert call is not None
                self._token = attach(trace.set_span_in_context(call[0]))
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        seconds = perf_counter() - self._began
        # A coroutine that is closed instead of awaited may be closed in another context.
        if self._token is not None and not isinstance(error, GeneratorExit):
            detach(self._token)
        outcomes: list[Any] = self.result if self.request.batch and isinstance(self.result, list) else [self.result]
        for index, call in enumerate(self._calls):
            if call is not None:
                outcome = error if error is not None or index >= len(outcomes) else outcomes[index]
                with self._observer.harmless():
                    self._finish(*call, outcome if isinstance(outcome, BaseException) else None, seconds)

    def _start(self, request: Request) -> Request:
        """Begin to observe one call; return it as it is to be sent."""
        if request.notification:
            self._calls.append(None)
            return request
        telemetry = self._observer.telemetry
        known = telemetry.methods is None or request.method in telemetry.methods
        method = request.method if known else _ANOTHER_METHOD
        attributes = {"rpc.system.name": "jsonrpc", "rpc.method": method, **self._observer.server}
        more = {
            "jsonrpc.protocol.version": "2.0",
            **_NETWORK,
            **({} if known else {"rpc.method_original": request.method}),
        }
        span = telemetry.tracer.start_span(
            method if known else "jsonrpc",
            kind=SpanKind.CLIENT,
            attributes={**attributes, **more},
            links=_links(self._connection),
        )
        self._calls.append((span, attributes))
        return request if telemetry.propagate is None else _with_trace(request, telemetry.propagate, span)

    def _finish(
        self, span: Span, attributes: dict[str, AttributeValue], error: BaseException | None, seconds: float
    ) -> None:
        metrics = self._observer.telemetry.metrics
        if error is not None:
            attributes["error.type"] = kind = _type_of(error)
            if isinstance(error, RpcError):
                span.set_attribute("rpc.response.status_code", kind)
                attributes["error.type"] = attributes["rpc.response.status_code"] = metrics.known_code(kind)
            _fail(span, kind, error)
        connection = self._observer.connection
        if connection is not None and connection is not self._connection:
            # The call waited for this connection, or was written again on it.
            span.add_link(connection)
        span.end()
        metrics.duration.record(seconds, attributes, trace.set_span_in_context(span))


def _links(context: SpanContext | None) -> list[Link]:
    return [] if context is None else [Link(context)]


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _type_of(error: BaseException) -> str:
    """Return the `error.type` of an error: the code that the circle answered with, or the name of the class."""
    if isinstance(error, RpcError):
        return str(error.code)
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _fail(span: Span, kind: str, error: BaseException | None) -> None:
    """Mark a span as failed, with the words of the log, unless they may quote params."""
    span.set_attribute("error.type", kind)
    span.set_status(
        StatusCode.ERROR, described(error) if isinstance(error, CircleWsError) and _is_ours(error) else None
    )


def _is_ours(error: BaseException | None) -> bool:
    """Return whether an error does not come from an error response, whose text is the circle's."""
    while error is not None and not isinstance(error, RpcError):
        error = error.__cause__
    return error is None


def _with_trace(request: Request, name: str, span: Span) -> Request:
    """Return a request whose params hand the trace on, if they are a dict that has room for it."""
    params = request.params
    if type(params) is not dict or type(given := params.get(name, {})) is not dict:
        return request
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(span))
    return replace(request, params={**params, name: {**given, **carrier}}) if carrier else request
