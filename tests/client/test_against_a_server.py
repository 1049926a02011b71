"""The client, against a real server on a real port, on every database."""

import socket
from collections.abc import Iterator
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import URL

import enrollment
from enrollment import EnrollmentClient, Outcome, RetryPolicy
from enrollment.v1 import enrollment_pb2 as pb
from enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub
from enrollment_server.errors import DatabaseUnavailable
from enrollment_server.metrics import Metrics
from enrollment_server.rpc.admission import Admission
from enrollment_server.rpc.server import create_server
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Limits
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving

MANY = [f"course-{number:03}" for number in range(100)]


@pytest.fixture
def address(url: URL) -> Iterator[str]:
    insert_students_and_courses(url, *MANY)
    with serving(url) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[EnrollmentClient]:
    with EnrollmentClient(address) as client:
        yield client


def test_associates_lists_and_removes(client: EnrollmentClient) -> None:
    [chess] = client.associate_courses("ada", ["chess"])
    assert chess.outcome is Outcome.CREATED
    assert client.associate_courses("ada", ["algebra", "chess"])[1] == enrollment.CourseAssociation(
        "chess", Outcome.ALREADY_ASSOCIATED, chess.create_time
    )

    taken = list(client.list_student_courses("ada"))
    assert [(t.course.id, t.course.code, t.course.title) for t in taken] == [
        ("algebra", "MAT 210", "Linear Algebra"),
        ("chess", "", "Chess"),
    ]
    assert taken[1].create_time == chess.create_time

    assert client.remove_course("ada", "algebra") is True
    assert client.remove_course("ada", "algebra", allow_missing=True) is False
    assert [t.course.id for t in client.list_student_courses("ada")] == ["chess"]


def test_walks_over_pages(client: EnrollmentClient) -> None:
    client.associate_courses("ada", MANY)
    courses = client.list_student_courses("ada", page_size=7)

    assert [taken.course.id for taken in courses] == MANY
    assert [len(page.courses) for page in courses.pages] == [7] * 14 + [2]


def test_raises_what_the_server_refuses(client: EnrollmentClient) -> None:
    with pytest.raises(enrollment.StudentNotFound) as student:
        list(client.list_student_courses("eve"))
    assert student.value.student_id == "eve"

    with pytest.raises(enrollment.CourseNotFound) as courses:
        client.associate_courses("ada", ["x", "chess", "y"])
    assert courses.value.course_ids == ("x", "y")

    with pytest.raises(enrollment.CourseNotAssociated) as association:
        client.remove_course("ada", "chess")
    assert association.value.course_id == "chess"

    with pytest.raises(enrollment.InvalidArgument) as request:
        client.associate_courses("a da", [])
    assert [violation.field for violation in request.value.violations] == [
        "student_id",
        "course_ids",
    ]

    with pytest.raises(enrollment.PageTokenInvalid):
        list(client.list_student_courses("ada", page_token="garbage"))


def test_hears_of_a_hundred_unknown_courses_of_the_longest_ids(client: EnrollmentClient) -> None:
    unknown = tuple(f"{number:0128}" for number in range(100))

    with pytest.raises(enrollment.CourseNotFound) as error:
        client.associate_courses("ada", unknown)

    assert error.value.course_ids == unknown


def test_a_plain_stub_hears_of_a_hundred_unknown_uuids(address: str) -> None:
    unknown = [f"00000000-0000-4000-8000-{number:012}" for number in range(100)]

    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as error:
        EnrollmentServiceStub(channel).AssociateCourses(
            pb.AssociateCoursesRequest(student_id="ada", course_ids=unknown)
        )

    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_plain_stub_hears_of_every_violation(address: str) -> None:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as error:
        EnrollmentServiceStub(channel).AssociateCourses(
            pb.AssociateCoursesRequest(student_id=" ", course_ids=[" "] * 1000)
        )

    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_has_the_stub_for_those_who_want_it(client: EnrollmentClient) -> None:
    response = client.stub.ListStudentCourses(pb.ListStudentCoursesRequest(student_id="bob"))

    assert response == pb.ListStudentCoursesResponse()


def test_leaves_a_given_channel_open(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        with EnrollmentClient(channel) as client:
            client.remove_course("ada", "chess", allow_missing=True)
        assert EnrollmentClient(channel).remove_course("ada", "chess", allow_missing=True) is False


def test_closes_a_channel_of_its_own(address: str) -> None:
    client = EnrollmentClient(address)
    client.close()

    with pytest.raises(ValueError, match="closed channel"):
        client.remove_course("ada", "chess")


@pytest.mark.parametrize("service", ["", "enrollment.v1.EnrollmentService"])
def test_health_is_serving(address: str, service: str) -> None:
    with grpc.insecure_channel(address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=service)
        )

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


class TestRetries:
    """Against a server whose database is away twice, and then is there."""

    @pytest.fixture
    def attempts(self) -> list[str]:
        return []

    @pytest.fixture
    def flaky(self, attempts: list[str]) -> Iterator[str]:
        class Flaky:
            async def remove_student_course(self, *_: object, **__: object) -> bool:
                attempts.append("attempt")
                if len(attempts) < 3:
                    raise DatabaseUnavailable
                return True

        admission = Admission(threads=2, queue=2)
        server = create_server(
            cast(AssociationService, Flaky()), admission, Metrics(), limits=Limits()
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()

    def test_are_made_of_what_is_unavailable(self, flaky: str, attempts: list[str]) -> None:
        with EnrollmentClient(flaky) as client:
            assert client.remove_course("ada", "chess")
        assert len(attempts) == 3

    def test_have_an_end(self, flaky: str, attempts: list[str]) -> None:
        policy = RetryPolicy(max_attempts=2, initial_backoff=0.01)
        with EnrollmentClient(flaky, retry=policy) as client, pytest.raises(enrollment.Unavailable):
            client.remove_course("ada", "chess")
        assert len(attempts) == 2

    def test_can_be_turned_off(self, flaky: str, attempts: list[str]) -> None:
        with EnrollmentClient(flaky, retry=None) as client, pytest.raises(enrollment.Unavailable):
            client.remove_course("ada", "chess")
        assert len(attempts) == 1

    @pytest.mark.parametrize(
        "setting",
        [
            {"max_attempts": 1},
            {"max_attempts": 6},
            {"initial_backoff": 0.001},
            {"initial_backoff": float("nan")},
            {"max_backoff": 0},
            {"backoff_multiplier": 0},
            {"backoff_multiplier": float("inf")},
        ],
    )
    def test_are_within_what_grpc_can_do(self, setting: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(setting))):
            RetryPolicy(**setting)

    def test_may_have_any_fraction_for_a_pause(self, flaky: str) -> None:
        policy = RetryPolicy(initial_backoff=0.1 / 3, max_backoff=1 / 3)
        with EnrollmentClient(flaky, retry=policy) as client:
            assert client.remove_course("ada", "chess")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        EnrollmentClient(f"127.0.0.1:{port}", retry=None) as client,
        pytest.raises(enrollment.Unavailable) as error,
    ):
        client.remove_course("ada", "chess")

    assert error.value.reason == ""


def test_a_server_that_does_not_answer_takes_no_longer_than_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with (
            EnrollmentClient(address, timeout=0.2) as client,
            pytest.raises((enrollment.DeadlineExceeded, enrollment.Unavailable)),
        ):
            client.remove_course("ada", "chess")
