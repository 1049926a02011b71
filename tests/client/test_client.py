"""The client, against a channel that the test answers."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, cast

import grpc
import grpc_testing
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

import enrollment
from enrollment import (
    Course,
    CourseAssociation,
    EnrollmentClient,
    EnrollmentError,
    Outcome,
    StudentCourse,
    Violation,
)
from enrollment.v1 import enrollment_pb2 as pb

CREATED = pb.CourseAssociation.OUTCOME_CREATED
ALREADY_ASSOCIATED = pb.CourseAssociation.OUTCOME_ALREADY_ASSOCIATED
SERVICE = pb.DESCRIPTOR.services_by_name["EnrollmentService"]
TIME = datetime(2026, 9, 1, 8, 30, 0, 123456, tzinfo=UTC)
TIMESTAMP = Timestamp(seconds=int(TIME.timestamp()), nanos=123456000)


class Server:
    """The other end of the channel."""

    def __init__(self) -> None:
        self.channel = grpc_testing.channel([SERVICE], grpc_testing.strict_real_time())

    def answer(
        self,
        method: str,
        response: Any = None,
        code: grpc.StatusCode = grpc.StatusCode.OK,
        details: str = "",
        trailing_metadata: tuple[tuple[str, str | bytes], ...] = (),
    ) -> tuple[Any, Any]:
        """Answer the next call of this method; returns its metadata and its request."""
        metadata, request, rpc = self.channel.take_unary_unary(SERVICE.methods_by_name[method])
        rpc.send_initial_metadata(())
        rpc.terminate(response, trailing_metadata, code, details)
        return metadata, request


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def client(server: Server) -> EnrollmentClient:
    return EnrollmentClient(server.channel)


@pytest.fixture
def calling() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Makes a call while the test answers it."""
    with ThreadPoolExecutor(1) as caller:
        yield caller.submit


Calling = Callable[[Callable[[], Any]], "Future[Any]"]


def failing(
    server: Server,
    client: EnrollmentClient,
    calling: Calling,
    code: grpc.StatusCode,
    *details: Any,
    trailing_metadata: tuple[tuple[str, str | bytes], ...] | None = None,
) -> EnrollmentError:
    """What a call raises that is answered with this status."""
    call = calling(lambda: client.remove_course("ada", "chess"))
    status = Status(code=code.value[0], message="It says why.")
    for detail in details:
        status.details.add().Pack(detail)
    if trailing_metadata is None:
        trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    server.answer("RemoveCourse", None, code, "It says why.", trailing_metadata)
    error = call.exception(timeout=5)
    assert isinstance(error, EnrollmentError)
    return error


class TestCalls:
    def test_associate_courses(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        call = calling(lambda: client.associate_courses("ada", ("chess", "algebra", "go")))
        _, request = server.answer(
            "AssociateCourses",
            pb.AssociateCoursesResponse(
                associations=[
                    pb.CourseAssociation(course_id="chess", outcome=CREATED, create_time=TIMESTAMP),
                    pb.CourseAssociation(
                        course_id="algebra", outcome=ALREADY_ASSOCIATED, create_time=TIMESTAMP
                    ),
                    pb.CourseAssociation(
                        course_id="go",
                        outcome=cast(pb.CourseAssociation.Outcome, 99),
                        create_time=TIMESTAMP,
                    ),
                ]
            ),
        )

        assert request == pb.AssociateCoursesRequest(
            student_id="ada", course_ids=["chess", "algebra", "go"]
        )
        assert call.result() == [
            CourseAssociation("chess", Outcome.CREATED, TIME),
            CourseAssociation("algebra", Outcome.ALREADY_ASSOCIATED, TIME),
            CourseAssociation("go", Outcome.UNKNOWN, TIME),
        ]

    def test_associate_courses_takes_no_single_id_for_a_sequence(
        self, client: EnrollmentClient
    ) -> None:
        with pytest.raises(TypeError):
            client.associate_courses("ada", "chess")

    @pytest.mark.parametrize("removed", [True, False])
    def test_remove_course(
        self, server: Server, client: EnrollmentClient, calling: Calling, removed: bool
    ) -> None:
        call = calling(lambda: client.remove_course("ada", "chess", allow_missing=True))
        _, request = server.answer("RemoveCourse", pb.RemoveCourseResponse(removed=removed))

        assert request == pb.RemoveCourseRequest(
            student_id="ada", course_id="chess", allow_missing=True
        )
        assert call.result() is removed

    def test_metadata_is_sent_along(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        call = calling(lambda: client.remove_course("a", "b", metadata=[("x-request-id", "7")]))
        metadata, _ = server.answer("RemoveCourse", pb.RemoveCourseResponse())
        call.result()

        assert ("x-request-id", "7") in [tuple(pair) for pair in metadata]

    def test_a_call_has_its_timeout_else_the_clients(self, server: Server) -> None:
        timeouts = []

        class Recording(grpc.UnaryUnaryClientInterceptor):
            def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
                timeouts.append(details.timeout)
                raise KeyboardInterrupt

        channel = grpc.intercept_channel(grpc.insecure_channel("127.0.0.1:1"), Recording())
        for client in (EnrollmentClient(channel), EnrollmentClient(channel, timeout=3)):
            for call in (
                lambda c: c.remove_course("a", "b"),
                lambda c: c.remove_course("a", "b", timeout=0.5),
                lambda c: list(c.list_student_courses("a", timeout=0.5)),
            ):
                with pytest.raises(KeyboardInterrupt):
                    call(client)
        channel.close()

        assert timeouts == [10, 0.5, 0.5, 3, 0.5, 0.5]


class TestList:
    FIRST = pb.ListStudentCoursesResponse(
        courses=[
            pb.StudentCourse(course=pb.Course(id="a", code="A", title="Aa"), create_time=TIMESTAMP)
        ],
        next_page_token="more",
    )
    LAST = pb.ListStudentCoursesResponse(
        courses=[pb.StudentCourse(course=pb.Course(id="b", title="Bb"), create_time=TIMESTAMP)]
    )
    TAKEN = (
        StudentCourse(Course("a", "A", "Aa"), TIME),
        StudentCourse(Course("b", "", "Bb"), TIME),
    )

    def answer_both(self, server: Server) -> list[Any]:
        return [
            server.answer("ListStudentCourses", response)[1] for response in (self.FIRST, self.LAST)
        ]

    def test_iterates_over_all_pages(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        call = calling(lambda: list(client.list_student_courses("ada", page_size=1)))
        requests = self.answer_both(server)

        assert call.result() == list(self.TAKEN)
        assert requests == [
            pb.ListStudentCoursesRequest(student_id="ada", page_size=1),
            pb.ListStudentCoursesRequest(student_id="ada", page_size=1, page_token="more"),
        ]

    def test_gives_its_pages(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        call = calling(lambda: list(client.list_student_courses("ada").pages))
        self.answer_both(server)

        assert [(page.courses, page.next_page_token) for page in call.result()] == [
            (self.TAKEN[:1], "more"),
            (self.TAKEN[1:], ""),
        ]

    def test_fetches_a_page_only_when_it_comes_to_it(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        courses = iter(client.list_student_courses("ada"))
        call = calling(lambda: next(courses))
        server.answer("ListStudentCourses", self.FIRST)  # and no other

        assert call.result(timeout=5) == self.TAKEN[0]

    def test_starts_anew_each_time(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        courses = client.list_student_courses("ada")
        for _ in range(2):
            call = calling(lambda: list(courses))
            assert [request.page_token for request in self.answer_both(server)] == ["", "more"]
            assert call.result() == list(self.TAKEN)

    def test_can_start_at_a_later_page(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        call = calling(lambda: list(client.list_student_courses("ada", page_token="more")))
        _, request = server.answer("ListStudentCourses", self.LAST)

        assert request.page_token == "more"
        assert call.result() == list(self.TAKEN[1:])


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "reason", "kind"),
        [
            (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", enrollment.InvalidArgument),
            (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", enrollment.PageTokenInvalid),
            (grpc.StatusCode.NOT_FOUND, "STUDENT_NOT_FOUND", enrollment.StudentNotFound),
            (grpc.StatusCode.NOT_FOUND, "COURSE_NOT_FOUND", enrollment.CourseNotFound),
            (grpc.StatusCode.NOT_FOUND, "COURSE_NOT_ASSOCIATED", enrollment.CourseNotAssociated),
            (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", enrollment.Unavailable),
            (grpc.StatusCode.ABORTED, "CONFLICT", enrollment.Aborted),
            (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", enrollment.ResourceExhausted),
            (grpc.StatusCode.INTERNAL, "INTERNAL", enrollment.Internal),
            (grpc.StatusCode.NOT_FOUND, "OF_A_NEWER_SERVER", enrollment.NotFound),
        ],
    )
    def test_are_told_apart_by_reason(
        self,
        server: Server,
        client: EnrollmentClient,
        calling: Calling,
        code: grpc.StatusCode,
        reason: str,
        kind: type[EnrollmentError],
    ) -> None:
        error = failing(
            server, client, calling, code, ErrorInfo(reason=reason, domain="enrollment.v1")
        )

        assert type(error) is kind
        assert (error.code, error.reason, error.message) == (code, reason, "It says why.")
        assert str(error) == f"{reason}: It says why."
        assert isinstance(error.rpc_error, grpc.RpcError)

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (grpc.StatusCode.DEADLINE_EXCEEDED, enrollment.DeadlineExceeded),
            (grpc.StatusCode.CANCELLED, enrollment.Cancelled),
            (grpc.StatusCode.UNAVAILABLE, enrollment.Unavailable),
            (grpc.StatusCode.UNIMPLEMENTED, EnrollmentError),
        ],
    )
    @pytest.mark.parametrize(
        "trailing_metadata",
        [
            (),
            (("grpc-status-details-bin", b"\xff\xff not a Status"),),
            (("grpc-status-details-bin", b""), ("x-proxy", "7")),
        ],
        ids=["nothing", "garbage", "empty"],
    )
    def test_from_elsewhere_are_told_apart_by_code(
        self,
        server: Server,
        client: EnrollmentClient,
        calling: Calling,
        code: grpc.StatusCode,
        kind: type[EnrollmentError],
        trailing_metadata: tuple[tuple[str, str | bytes], ...],
    ) -> None:
        error = failing(server, client, calling, code, trailing_metadata=trailing_metadata)

        assert type(error) is kind
        assert (error.reason, dict(error.metadata)) == ("", {})
        assert str(error) == f"{code.name}: It says why."

    def test_of_another_domain_are_not_taken_for_the_services(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        info = ErrorInfo(reason="STUDENT_NOT_FOUND", domain="elsewhere.example.com")
        error = failing(server, client, calling, grpc.StatusCode.NOT_FOUND, info)

        assert type(error) is enrollment.NotFound
        assert error.reason == ""

    def test_say_what_they_are_about(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        def info(reason: str, **metadata: str) -> ErrorInfo:
            return ErrorInfo(reason=reason, domain="enrollment.v1", metadata=metadata)

        def raised(*details: Any) -> Any:
            return failing(server, client, calling, grpc.StatusCode.NOT_FOUND, *details)

        assert raised(info("STUDENT_NOT_FOUND", student_id="ada")).student_id == "ada"
        assert raised(info("COURSE_NOT_FOUND", course_ids="x,y")).course_ids == ("x", "y")
        gone = raised(info("COURSE_NOT_ASSOCIATED", student_id="ada", course_id="chess"))
        assert (gone.student_id, gone.course_id) == ("ada", "chess")
        malformed = raised(
            info("INVALID_REQUEST"),
            BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(field="student_id", description="is required"),
                    BadRequest.FieldViolation(field="course_ids[3]", description="is not an id"),
                ]
            ),
        )
        assert malformed.violations == (
            Violation("student_id", "is required"),
            Violation("course_ids[3]", "is not an id"),
        )


def test_the_public_names_are_those_of_the_package() -> None:
    public = {name for name in vars(enrollment) if not name.startswith("_")} - {"v1"}

    assert public == set(enrollment.__all__)
    for name in enrollment.__all__:
        assert getattr(enrollment, name).__module__.startswith("enrollment._")
