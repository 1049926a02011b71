"""The client, against a channel that the test answers."""

from datetime import UTC, datetime
from typing import Any, cast

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

import enrollment
from enrollment import (
    Course,
    CourseAssociation,
    EnrollmentClient,
    Outcome,
    StudentCourse,
)
from enrollment.v1 import enrollment_pb2 as pb
from tests.client.conftest import Calling, Server

CREATED = pb.CourseAssociation.OUTCOME_CREATED
ALREADY_ASSOCIATED = pb.CourseAssociation.OUTCOME_ALREADY_ASSOCIATED
SERVICE = pb.DESCRIPTOR.services_by_name["EnrollmentService"]
TIME = datetime(2026, 9, 1, 8, 30, 0, 123456, tzinfo=UTC)
TIMESTAMP = Timestamp(seconds=int(TIME.timestamp()), nanos=123456000)


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


def test_the_public_names_are_those_of_the_package() -> None:
    public = {name for name in vars(enrollment) if not name.startswith("_")} - {"v1"}

    assert public == set(enrollment.__all__)
    for name in enrollment.__all__:
        assert getattr(enrollment, name).__module__.startswith("enrollment._")
