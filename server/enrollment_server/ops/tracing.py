"""Traces: a span for every call and every statement, sent by OTLP over gRPC.

What a span says follows OpenTelemetry's conventions for gRPC and for databases. A statement
is its text, in which every value is a placeholder: nothing of a student is in a trace.

OpenTelemetry is the extra `tracing`; without it, and without an endpoint, nothing of it is
imported.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from sqlalchemy import Engine, event

from enrollment_server.calls import Call, Metadata
from enrollment_server.settings import ContradictionError

QUICKLY = 2.0  # seconds

_SPAN = "span"  # under which Connection.info has that of the statement that runs on it

# Those that tell of a fault of the server, and not of the caller.
_FAULTS = frozenset(
    ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]
)


class Tracing:
    """Makes spans, and sends them to `endpoint` in batches, in a thread of its own.

    A trace that the caller has begun is sampled as the caller says; others always, unless
    OTEL_TRACES_SAMPLER says how. Raises ContradictionError if the extra is not installed.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        self._service = service
        if not endpoint.startswith(("http://", "https://")):
            raise ContradictionError(f"--otlp-endpoint is no http URL: {endpoint!r}")
        try:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        except ImportError:
            raise ContradictionError(
                "--otlp-endpoint needs the extra: pip install 'enrollment-server[tracing]'"
            ) from None
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": "enrollment-server"})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=5)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("enrollment_server")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, call: Call, metadata: Metadata) -> Iterator[None]:
        """See `enrollment_server.calls.Tracer`."""
        from opentelemetry.trace import SpanKind, StatusCode

        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        with self._tracer.start_as_current_span(
            f"{self._service}/{call.method}", self._propagator.extract(carrier), SpanKind.SERVER
        ) as span:
            call.trace_id = f"{span.get_span_context().trace_id:032x}"
            yield
            span.set_attributes(
                {
                    "rpc.system": "grpc",
                    "rpc.service": self._service,
                    "rpc.method": call.method,
                    "rpc.grpc.status_code": grpc.StatusCode[call.code].value[0],
                }
            )
            if call.reason:
                span.set_attribute("error.type", call.reason)
            if call.code in _FAULTS:
                span.set_status(StatusCode.ERROR)

    def trace_statements(self, engine: Engine) -> None:
        """Make a span for every statement of this engine that is executed in a call."""
        from opentelemetry.trace import SpanKind, StatusCode

        @event.listens_for(engine, "before_cursor_execute")
        def begin(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            attributes = {"db.system.name": engine.dialect.name, "db.query.text": statement}
            name = statement.split(None, 1)[0]
            connection.info[_SPAN] = self._tracer.start_span(
                name, None, SpanKind.CLIENT, attributes
            )

        @event.listens_for(engine, "after_cursor_execute")
        def end(connection: Any, *_rest: Any) -> None:
            connection.info.pop(_SPAN).end()

        @event.listens_for(engine, "handle_error")
        def fail(error: Any) -> None:
            span = error.connection and error.connection.info.pop(_SPAN, None)
            if span is not None:
                span.set_status(StatusCode.ERROR)
                span.set_attribute("error.type", type(error.original_exception).__name__)
                span.end()

    def stop(self) -> None:
        """Send what is left, if it can be sent quickly: the collector may be gone."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(QUICKLY)
