"""Traces, as whoever collects them receives them."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as collector
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as collector_grpc
from sqlalchemy import URL

from enrollment import CourseNotFound, EnrollmentClient
from enrollment_server.ops.tracing import Tracing
from enrollment_server.settings import ContradictionError
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = [("traceparent", f"00-{TRACE}-{PARENT}-01")]


class Collector(collector_grpc.TraceServiceServicer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return collector.ExportTraceServiceResponse()


@pytest.fixture
def collecting() -> Iterator[tuple[Collector, str]]:
    servicer = Collector()
    server = grpc.server(ThreadPoolExecutor(1))
    collector_grpc.add_TraceServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_trace_leads_from_the_caller_to_the_statements(
    url: URL, collecting: tuple[Collector, str]
) -> None:
    insert_students_and_courses(url)
    servicer, endpoint = collecting
    with (
        serving(url, otlp_endpoint=endpoint) as address,
        EnrollmentClient(address) as client,
    ):
        client.associate_courses("ada", ["chess"], metadata=TRACEPARENT)

    [call] = [span for span in servicer.spans if span.parent_span_id.hex() == PARENT]
    assert (call.trace_id.hex(), call.name) == (
        TRACE,
        "enrollment.v1.EnrollmentService/AssociateCourses",
    )
    assert attributes(call) == {
        "rpc.system": "grpc",
        "rpc.service": "enrollment.v1.EnrollmentService",
        "rpc.method": "AssociateCourses",
        "rpc.grpc.status_code": 0,
    }
    statements = [span for span in servicer.spans if span.parent_span_id == call.span_id]
    assert {span.name for span in statements} >= {"SELECT", "INSERT"}
    assert "INSERT INTO student_courses" in str(statements)
    assert not any(value in str(servicer.spans) for value in ("ada", "chess"))


def test_a_call_without_a_trace_begins_one(url: URL, collecting: tuple[Collector, str]) -> None:
    insert_students_and_courses(url)
    servicer, endpoint = collecting
    with (
        serving(url, otlp_endpoint=endpoint) as address,
        EnrollmentClient(address) as client,
        pytest.raises(CourseNotFound),
    ):
        client.associate_courses("ada", ["no-course"])

    [call] = [span for span in servicer.spans if not span.parent_span_id]
    assert attributes(call)["error.type"] == "COURSE_NOT_FOUND"
    assert attributes(call)["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert call.status.code == 0  # no fault of the server's


def test_without_the_extra_an_endpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"
    monkeypatch.setitem(sys.modules, exporter, None)

    with pytest.raises(ContradictionError, match="needs the extra"):
        Tracing("http://127.0.0.1:4317", "service")
