"""Callers that give up, and callers that name no deadline: the server's only thread is free soon.

Another transaction holds what the call needs, and keeps it.
"""

import time
from collections.abc import Iterator

import grpc
import pytest
from sqlalchemy import URL

from enrollment import Aborted, DeadlineExceeded, EnrollmentClient, EnrollmentError
from enrollment.v1 import enrollment_pb2 as pb
from tests.conformance.conftest import COURSES, EXECUTABLE
from tests.support.databases import blocked
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving_process

SOON = 0.5  # seconds

REQUEST = pb.AssociateCoursesRequest(student_id="ada", course_ids=COURSES[:1])


@pytest.fixture
def client(url: URL) -> Iterator[EnrollmentClient]:
    """Of a server with one thread, in which associating waits."""
    insert_students_and_courses(url, *COURSES)
    flags = ["--threads", "1", "--default-timeout", "1"]
    with (
        serving_process(EXECUTABLE, url, *flags) as server,
        EnrollmentClient(server.address, retry=None) as client,
    ):
        assert list(client.list_student_courses("ada", timeout=10)) == []
        with blocked(url, "ada", COURSES[0]):
            yield client


def test_a_caller_whose_deadline_passes_frees_its_thread(client: EnrollmentClient) -> None:
    with pytest.raises(EnrollmentError) as refusal:
        client.associate_courses("ada", COURSES[:1], timeout=0.3)

    assert isinstance(refusal.value, DeadlineExceeded | Aborted)
    assert list(client.list_student_courses("ada", timeout=SOON)) == []


def test_a_caller_that_cancels_frees_its_thread(client: EnrollmentClient) -> None:
    call = client.stub.AssociateCourses.future(REQUEST, timeout=60)
    with pytest.raises(grpc.FutureTimeoutError):
        call.result(timeout=0.3)  # it waits for what is locked

    call.cancel()

    assert list(client.list_student_courses("ada", timeout=SOON)) == []


def test_a_call_without_a_deadline_has_the_server_s(client: EnrollmentClient) -> None:
    start = time.monotonic()

    with pytest.raises(grpc.RpcError) as refusal:
        client.stub.AssociateCourses(REQUEST)

    assert refusal.value.code() in (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
    )
    # SQLite: it does not begin to wait for longer than is left.
    assert 0.5 < time.monotonic() - start < 1 + SOON


def test_what_was_given_up_was_not_done(url: URL, client: EnrollmentClient) -> None:
    with pytest.raises(EnrollmentError):
        client.associate_courses("ada", COURSES[:3], timeout=0.3)

    assert list(client.list_student_courses("ada")) == []
