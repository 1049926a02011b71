"""The contract, row by row of its semantics; pages and faults have files of their own."""

import time

import pytest

from enrollment.v1 import enrollment_pb2 as pb
from tests.api.conftest import LONGEST_ID
from tests.support.api import Api
from tests.support.statuses import Refusal

CREATED = pb.CourseAssociation.OUTCOME_CREATED
ALREADY_ASSOCIATED = pb.CourseAssociation.OUTCOME_ALREADY_ASSOCIATED


def outcomes(response: pb.AssociateCoursesResponse) -> list[tuple[str, int]]:
    return [(a.course_id, a.outcome) for a in response.associations]


class TestAssociateCourses:
    def test_answers_for_each_course_in_the_order_asked_for(self, api: Api) -> None:
        before = time.time_ns()
        response = api.associate("ada", "chess", "Biology", "algebra")

        assert outcomes(response) == [
            ("chess", CREATED),
            ("Biology", CREATED),
            ("algebra", CREATED),
        ]
        for association in response.associations:
            created = association.create_time.ToNanoseconds()
            assert before - 1000 <= created <= time.time_ns()

    def test_says_what_was_associated_already_and_since_when(self, api: Api) -> None:
        [first] = api.associate("ada", "chess").associations
        response = api.associate("ada", "algebra", "chess")

        assert outcomes(response) == [("algebra", CREATED), ("chess", ALREADY_ASSOCIATED)]
        assert response.associations[1].create_time == first.create_time

    def test_is_harmless_to_repeat(self, api: Api) -> None:
        first = api.associate("ada", "chess", "algebra")
        second = api.associate("ada", "chess", "algebra")

        assert outcomes(second) == [
            ("chess", ALREADY_ASSOCIATED),
            ("algebra", ALREADY_ASSOCIATED),
        ]
        assert [a.create_time for a in second.associations] == [
            a.create_time for a in first.associations
        ]

    def test_answers_the_same_id_twice_with_one_result(self, api: Api) -> None:
        response = api.associate("ada", "chess", "algebra", "chess")

        assert outcomes(response) == [("chess", CREATED), ("algebra", CREATED)]

    def test_refuses_an_unknown_student(self, api: Api) -> None:
        assert api.associate("eve", "chess") == Refusal(
            "NOT_FOUND", "There is no student eve.", "STUDENT_NOT_FOUND", {"student_id": "eve"}
        )

    def test_takes_ids_for_case_sensitive(self, api: Api) -> None:
        assert api.associate("Ada", "chess").reason == "STUDENT_NOT_FOUND"
        assert api.associate("ada", "Chess").reason == "COURSE_NOT_FOUND"

    def test_names_every_unknown_course_and_writes_nothing(self, api: Api) -> None:
        assert api.associate("ada", "x", "chess", "y", "x", "algebra", "z", "w") == Refusal(
            "NOT_FOUND",
            "There are no courses x, y, z and 1 more.",
            "COURSE_NOT_FOUND",
            {"course_ids": "x,y,z,w"},
        )
        assert api.course_ids("ada") == []

    def test_names_a_hundred_unknown_courses_of_the_longest_ids(self, api: Api) -> None:
        unknown = [f"{number:0128}" for number in range(100)]

        answer = api.associate("ada", *unknown)

        assert answer.metadata["course_ids"].split(",") == unknown

    @pytest.mark.parametrize("count", [1, 100])
    def test_takes_up_to_a_hundred_ids(self, api: Api, count: int) -> None:
        assert outcomes(api.associate("ada", *["chess"] * count)) == [("chess", CREATED)]

    @pytest.mark.parametrize("course_id", [LONGEST_ID, "a.b_c~d:e-F9"])
    def test_takes_every_id_that_is_well_formed(self, api: Api, course_id: str) -> None:
        assert outcomes(api.associate("ada", course_id)) == [(course_id, CREATED)]

    def test_refuses_no_ids(self, api: Api) -> None:
        answer = api.associate("ada")

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert answer.violations == {"course_ids": "is required"}

    def test_refuses_more_than_a_hundred_ids_as_sent(self, api: Api) -> None:
        answer = api.associate("ada", *["chess"] * 101)

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert answer.violations == {"course_ids": "has 101 ids, more than 100"}
        assert api.course_ids("ada") == []

    def test_lists_malformed_ids_also_beyond_a_hundred(self, api: Api) -> None:
        answer = api.associate("ada", *["chess"] * 110, "")

        assert list(answer.violations) == ["course_ids", "course_ids[110]"]

    def test_lists_every_violation(self, api: Api) -> None:
        answer = api.associate("a da", "chess", "", "alg/ebra", "x" * 129)

        assert answer == Refusal(
            "INVALID_ARGUMENT",
            "student_id is not an id, course_ids[1] is required, course_ids[2] is not an id "
            "and 1 more (an id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ : -).",
            "INVALID_REQUEST",
            {},
            {
                "student_id": "is not an id",
                "course_ids[1]": "is required",
                "course_ids[2]": "is not an id",
                "course_ids[3]": "is not an id",
            },
        )

    def test_keeps_the_list_of_violations_within_what_a_client_accepts(self, api: Api) -> None:
        request = pb.AssociateCoursesRequest(student_id=" ", course_ids=[" "] * 100_000)

        answer = api.call(request)

        assert len(answer.violations) == 102  # the student, the number, and the first hundred
        # gRPC clients take 8 KiB of metadata unless told otherwise.
        assert sum(len(field) + len(what) + 8 for field, what in answer.violations.items()) < 6000


MALFORMED_IDS = [
    "",
    " ",
    "a b",
    "a/b",
    "a,b",
    "a\0b",
    "a\nb",
    "ada\n",
    "'; DROP TABLE students; --",
    "é",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{RIGHT-TO-LEFT OVERRIDE}ada",
    "\N{FULLWIDTH DIGIT ONE}",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "x" * 129,
]


@pytest.mark.parametrize("malformed", MALFORMED_IDS, ids=ascii)
class TestMalformedIds:
    def test_are_refused_by_associate(self, api: Api, malformed: str) -> None:
        answer = api.associate(malformed, malformed)

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert list(answer.violations) == ["student_id", "course_ids[0]"]

    def test_are_refused_by_list(self, api: Api, malformed: str) -> None:
        answer = api.list_courses(malformed)

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert list(answer.violations) == ["student_id"]

    def test_are_refused_by_remove(self, api: Api, malformed: str) -> None:
        answer = api.remove(malformed, malformed, allow_missing=True)

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert list(answer.violations) == ["student_id", "course_id"]


class TestListStudentCourses:
    def test_tells_courses_ordered_bytewise_by_id(self, api: Api) -> None:
        associations = api.associate("ada", "chess", "algebra", "Biology").associations
        times = {a.course_id: a.create_time for a in associations}

        response = api.list_courses("ada")

        assert response == pb.ListStudentCoursesResponse(
            courses=[
                pb.StudentCourse(
                    course=pb.Course(id="Biology", code="BIO 101", title="General Biology"),
                    create_time=times["Biology"],
                ),
                pb.StudentCourse(
                    course=pb.Course(id="algebra", code="MAT 210", title="Linear Algebra"),
                    create_time=times["algebra"],
                ),
                pb.StudentCourse(
                    course=pb.Course(id="chess", title="Chess"), create_time=times["chess"]
                ),
            ]
        )

    def test_of_a_student_without_courses_is_empty(self, api: Api) -> None:
        assert api.list_courses("bob") == pb.ListStudentCoursesResponse()

    def test_refuses_an_unknown_student(self, api: Api) -> None:
        assert api.list_courses("eve") == Refusal(
            "NOT_FOUND", "There is no student eve.", "STUDENT_NOT_FOUND", {"student_id": "eve"}
        )

    def test_refuses_a_negative_page_size(self, api: Api) -> None:
        answer = api.list_courses("ada", page_size=-1)

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert answer.violations == {"page_size": "is negative"}

    def test_lists_every_violation(self, api: Api) -> None:
        answer = api.list_courses("", page_size=-5, page_token="garbage")

        assert answer.reason == "INVALID_REQUEST"
        assert list(answer.violations) == ["student_id", "page_size", "page_token"]


class TestRemoveCourse:
    def test_removes_the_course_from_the_next_list(self, api: Api) -> None:
        api.associate("ada", "chess", "algebra")

        assert api.remove("ada", "chess") == pb.RemoveCourseResponse(removed=True)
        assert api.course_ids("ada") == ["algebra"]

    @pytest.mark.parametrize("course_id", ["chess", "unknown"])
    def test_refuses_a_course_not_associated_or_unknown(self, api: Api, course_id: str) -> None:
        assert api.remove("ada", course_id) == Refusal(
            "NOT_FOUND",
            f"Student ada does not take course {course_id}.",
            "COURSE_NOT_ASSOCIATED",
            {"student_id": "ada", "course_id": course_id},
        )

    @pytest.mark.parametrize("course_id", ["chess", "unknown"])
    def test_with_allow_missing_says_that_it_removed_nothing(
        self, api: Api, course_id: str
    ) -> None:
        answer = api.remove("ada", course_id, allow_missing=True)

        assert answer == pb.RemoveCourseResponse(removed=False)

    @pytest.mark.parametrize("allow_missing", [False, True])
    def test_refuses_an_unknown_student(self, api: Api, allow_missing: bool) -> None:
        assert api.remove("eve", "chess", allow_missing=allow_missing) == Refusal(
            "NOT_FOUND", "There is no student eve.", "STUDENT_NOT_FOUND", {"student_id": "eve"}
        )
