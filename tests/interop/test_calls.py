"""All three calls, good and bad, as clients that are not ours make them and read the answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from enrollment.v1 import enrollment_pb2 as pb
from tests.interop.clients import Grpcurl
from tests.interop.conftest import SERVER
from tests.support.api import Calls
from tests.support.certificates import Authority, dns
from tests.support.places import GOOGLE_PROTOS, INTEROP_BIN, PROTOS
from tests.support.programs import run_program
from tests.support.serving import serving_process
from tests.support.statuses import Refusal

CREATED = pb.CourseAssociation.OUTCOME_CREATED
ALREADY_ASSOCIATED = pb.CourseAssociation.OUTCOME_ALREADY_ASSOCIATED


def outcomes(response: pb.AssociateCoursesResponse) -> list[tuple[str, int]]:
    return [(a.course_id, a.outcome) for a in response.associations]


def test_a_student_is_associated_with_courses(client: Calls, student: str) -> None:
    [first] = client.associate(student, "chess").associations
    response = client.associate(student, "algebra", "chess")

    assert outcomes(response) == [("algebra", CREATED), ("chess", ALREADY_ASSOCIATED)]
    assert response.associations[1].create_time == first.create_time


def test_courses_are_listed_in_pages(client: Calls, student: str) -> None:
    made = client.associate(student, "chess", "algebra")

    first = client.list_courses(student, page_size=1)
    last = client.list_courses(student, page_size=1, page_token=first.next_page_token)

    assert [*first.courses, *last.courses] == [
        pb.StudentCourse(
            course=pb.Course(id="algebra", code="MAT 210", title="Linear Algebra"),
            create_time=made.associations[1].create_time,
        ),
        pb.StudentCourse(
            course=pb.Course(id="chess", title="Chess"),
            create_time=made.associations[0].create_time,
        ),
    ]
    assert last.next_page_token == ""


def test_a_course_is_removed(client: Calls, student: str) -> None:
    client.associate(student, "chess", "algebra")

    assert client.remove(student, "chess") == pb.RemoveCourseResponse(removed=True)
    assert client.course_ids(student) == ["algebra"]


def test_unknown_courses_are_all_named(client: Calls, student: str) -> None:
    unknown = [f"{number:0128}" for number in range(100)]

    answer = client.associate(student, *unknown)

    assert (answer.code, answer.reason) == ("NOT_FOUND", "COURSE_NOT_FOUND")
    assert answer.metadata["course_ids"].split(",") == unknown


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.associate("eve", "chess"),
        lambda client: client.list_courses("eve"),
        lambda client: client.remove("eve", "chess"),
    ],
    ids=["AssociateCourses", "ListStudentCourses", "RemoveCourse"],
)
def test_an_unknown_student_is_named(client: Calls, call: Callable[[Calls], Any]) -> None:
    assert call(client) == Refusal(
        "NOT_FOUND", "There is no student eve.", "STUDENT_NOT_FOUND", {"student_id": "eve"}
    )


def test_a_course_that_is_not_taken_is_named(client: Calls, student: str) -> None:
    answer = client.remove(student, "chess")

    assert (answer.code, answer.reason) == ("NOT_FOUND", "COURSE_NOT_ASSOCIATED")
    assert answer.metadata == {"student_id": student, "course_id": "chess"}


def test_a_course_that_is_not_taken_may_be_missing(client: Calls, student: str) -> None:
    answer = client.remove(student, "chess", allow_missing=True)

    assert answer == pb.RemoveCourseResponse(removed=False)


def test_every_violation_is_listed(client: Calls) -> None:
    answer = client.associate("", "chess", "not an id", "")

    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert answer.violations == {
        "student_id": "is required",
        "course_ids[1]": "is not an id",
        "course_ids[2]": "is required",
    }


class TestGrpcurl:
    def test_finds_by_reflection_what_there_is(self, address: str) -> None:
        result = run_program(INTEROP_BIN / "grpcurl", "-plaintext", address, "list")

        assert result.stdout.splitlines() == [
            "enrollment.v1.EnrollmentService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        ]

    def test_calls_by_tls_with_the_files_of_the_contract(
        self, database: URL, student: str, folder: Path
    ) -> None:
        authority = Authority()
        certificate, key = authority.sign(dns("localhost")).write(folder, "server")
        (folder / "ca.pem").write_bytes(authority.certificate)
        files = ["enrollment/v1/enrollment.proto", "google/rpc/error_details.proto"]
        flags = [
            *("-cacert", folder / "ca.pem"),
            *("-import-path", PROTOS, "-import-path", GOOGLE_PROTOS),
            *(word for file in files for word in ("-proto", file)),
        ]

        tls = ["--tls-cert", str(certificate), "--tls-key", str(key)]
        with serving_process(SERVER, database, *tls) as server:
            client = Grpcurl(f"localhost:{server.address.rpartition(':')[2]}", flags)

            assert outcomes(client.associate(student, "chess")) == [("chess", CREATED)]
            assert client.associate(student, "x", "y").metadata == {"course_ids": "x,y"}
