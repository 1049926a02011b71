"""Callers who begin a call and send no request keep no place for long, nor anybody waiting."""

from collections.abc import Iterator
from threading import Event
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from sqlalchemy import URL

from enrollment import EnrollmentClient
from enrollment_server import app
from enrollment_server.rpc.server import SERVICE
from enrollment_server.settings import Limits
from tests.support.databases import Databases
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving


@pytest.fixture
def address(sqlite_databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server with one thread, which is not patient."""
    monkeypatch.setattr(app, "SILENCE", 0.1)
    url: URL = sqlite_databases.fresh()
    insert_students_and_courses(url)
    with serving(url, limits=Limits(threads=1)) as address:
        yield address


@pytest.fixture
def silent(address: str) -> Iterator[Any]:
    """Begins a call of this method."""
    stop = Event()
    with grpc.insecure_channel(address) as channel:
        nothing: Any = iter(stop.wait, True)
        yield lambda method: channel.stream_unary(method).future(nothing, timeout=60)
        stop.set()


def test_a_silent_call_is_ended_and_keeps_nobody_waiting(address: str, silent: Any) -> None:
    call = silent(f"/{SERVICE}/ListStudentCourses")

    with EnrollmentClient(address) as client:
        assert list(client.list_student_courses("ada", timeout=10)) == []
    assert call.code() is grpc.StatusCode.CANCELLED


def test_silent_health_checks_keep_no_other_waiting(address: str, silent: Any) -> None:
    calls = [silent("/grpc.health.v1.Health/Check") for _ in range(20)]

    with grpc.insecure_channel(address) as channel:
        answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=10)

    assert answer.status == HealthCheckResponse.SERVING
    assert {call.code() for call in calls} == {grpc.StatusCode.CANCELLED}
