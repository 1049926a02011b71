"""The examples of the documentation: calls on the sample database, and their answers.

Each gets its answer on the database as `make run` loads it, and also after all of the others:
what one of them changes, none of them asks about. Tests make all of these calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from enrollment_server import errors
from enrollment_server.domain import ID_RULE
from enrollment_server.errors import EnrollmentError, Violation
from enrollment_server.rpc import page_token
from enrollment_server.rpc.errors import failure, refusal

TIME = "2026-09-01T08:30:00.250000Z"  # tests take any other for the same
PYTHON_TIME = "2026-09-01 08:30:00.250000+00:00"


@dataclass(frozen=True)
class Example:
    """A call, and its answer: the response as JSON, or why it is refused.

    Those that have a form in Python are on the reference page. There `client` is an
    EnrollmentClient, and `printed` is what is printed. A call that changes something is about
    another student in each form: `http_student` is the one of HTTP.
    """

    method: str
    title: str
    request: Mapping[str, Any]
    answer: Mapping[str, Any] | EnrollmentError
    python: str = ""
    printed: str = ""
    http_student: str = ""

    @property
    def http_request(self) -> dict[str, Any]:
        """The request as it is made by HTTP."""
        student_id = self.http_student or self.request["student_id"]
        return {**self.request, "student_id": student_id}

    @property
    def reason(self) -> str:
        """Why it is refused; empty if it is not."""
        return self.answer.reason if isinstance(self.answer, EnrollmentError) else ""


# What any call can end in, whatever its request.
COMMON_REFUSALS = (
    refusal(errors.Unauthenticated("The token has expired.")),
    refusal(errors.PermissionDenied("writer")),
    refusal(errors.Conflict()),
    refusal(errors.Overloaded()),
    failure("7b0c3a5e9f1d4c2a8e6b5d4f3a2c1b0e"),
    refusal(errors.DatabaseUnavailable()),
    refusal(errors.ShuttingDown()),
    refusal(errors.DeadlineExceeded()),
)

SECOND_PAGE = page_token.encode("s-10001", "phi-101")

EXAMPLES = (
    Example(
        method="AssociateCourses",
        title="Two courses, of which the student takes one already",
        request={"student_id": "s-10028", "course_ids": ["cs-410", "sta-201"]},
        answer={
            "associations": [
                {"course_id": "cs-410", "outcome": "OUTCOME_CREATED", "create_time": TIME},
                {
                    "course_id": "sta-201",
                    "outcome": "OUTCOME_ALREADY_ASSOCIATED",
                    "create_time": TIME,
                },
            ]
        },
        python="""\
for association in client.associate_courses("s-10049", ["cs-410", "sta-201"]):
    print(association.course_id, association.outcome.name, association.create_time)
""",
        printed=f"""\
cs-410 CREATED {PYTHON_TIME}
sta-201 ALREADY_ASSOCIATED {PYTHON_TIME}
""",
        http_student="s-10040",
    ),
    Example(
        method="AssociateCourses",
        title="Courses of which some do not exist: none is associated",
        request={"student_id": "s-10001", "course_ids": ["cs-410", "cs-998", "cs-999"]},
        answer=errors.CourseNotFound(["cs-998", "cs-999"]),
        python="""\
try:
    client.associate_courses("s-10001", ["cs-410", "cs-998", "cs-999"])
except CourseNotFound as error:
    print(error.course_ids)
""",
        printed="('cs-998', 'cs-999')\n",
    ),
    Example(
        method="AssociateCourses",
        title="A student who does not exist",
        request={"student_id": "s-99999", "course_ids": ["cs-410"]},
        answer=errors.StudentNotFound("s-99999"),
    ),
    Example(
        method="AssociateCourses",
        title="Courses that are no ids",
        request={"student_id": "s-10001", "course_ids": ["cs-410", "cs 411", ""]},
        answer=errors.InvalidRequest(
            f"course_ids[1] is not an id, course_ids[2] is required ({ID_RULE}).",
            [
                Violation("course_ids[1]", "is not an id"),
                Violation("course_ids[2]", "is required"),
            ],
        ),
    ),
    Example(
        method="ListStudentCourses",
        title="The first page",
        request={"student_id": "s-10001", "page_size": 2},
        answer={
            "courses": [
                {
                    "course": {"id": "cs-310", "code": "CS 310", "title": "Databases"},
                    "create_time": TIME,
                },
                {
                    "course": {
                        "id": "phi-101",
                        "code": "PHI 101",
                        "title": "Introduction to Philosophy",
                    },
                    "create_time": TIME,
                },
            ],
            "next_page_token": SECOND_PAGE,
        },
        python="""\
for taken in client.list_student_courses("s-10001"):  # fetches page after page
    print(taken.course.id, taken.course.title)
""",
        printed="""\
cs-310 Databases
phi-101 Introduction to Philosophy
phy-210 Electromagnetism
sta-201 Statistics
""",
    ),
    Example(
        method="ListStudentCourses",
        title="The page after it, which is the last",
        request={"student_id": "s-10001", "page_size": 2, "page_token": SECOND_PAGE},
        answer={
            "courses": [
                {
                    "course": {"id": "phy-210", "code": "PHY 210", "title": "Electromagnetism"},
                    "create_time": TIME,
                },
                {
                    "course": {"id": "sta-201", "code": "STA 201", "title": "Statistics"},
                    "create_time": TIME,
                },
            ],
            "next_page_token": "",
        },
        python=f"""\
for page in client.list_student_courses("s-10001", page_token="{SECOND_PAGE}").pages:
    print([taken.course.id for taken in page.courses], page.next_page_token)
""",
        printed="['phy-210', 'sta-201'] \n",
    ),
    Example(
        method="ListStudentCourses",
        title="A student who does not exist",
        request={"student_id": "s-99999"},
        answer=errors.StudentNotFound("s-99999"),
        python="""\
try:
    list(client.list_student_courses("s-99999"))
except StudentNotFound as error:
    print(error.message)
""",
        printed="There is no student s-99999.\n",
    ),
    Example(
        method="ListStudentCourses",
        title="A page token of another student",
        request={"student_id": "s-10002", "page_token": SECOND_PAGE},
        answer=errors.PageTokenInvalid(),
    ),
    Example(
        method="ListStudentCourses",
        title="A negative page size",
        request={"student_id": "s-10001", "page_size": -1},
        answer=errors.InvalidRequest(
            "page_size is negative.", [Violation("page_size", "is negative")]
        ),
    ),
    Example(
        method="RemoveCourse",
        title="A course that the student takes",
        request={"student_id": "s-10004", "course_id": "phy-210"},
        answer={"removed": True},
        python="""\
print(client.remove_course("s-10017", "phy-210"))
""",
        printed="True\n",
        http_student="s-10007",
    ),
    Example(
        method="RemoveCourse",
        title="A course that the student does not take: an error, unless that is allowed",
        request={"student_id": "s-10001", "course_id": "mus-220"},
        answer=errors.CourseNotAssociated("s-10001", "mus-220"),
        python="""\
print(client.remove_course("s-10001", "mus-220", allow_missing=True))
try:
    client.remove_course("s-10001", "mus-220")
except CourseNotAssociated as error:
    print(error.message)
""",
        printed="False\nStudent s-10001 does not take course mus-220.\n",
    ),
    Example(
        method="RemoveCourse",
        title="A course that the student does not take, and need not",
        request={"student_id": "s-10001", "course_id": "mus-220", "allow_missing": True},
        answer={"removed": False},
    ),
    Example(
        method="RemoveCourse",
        title="A student who does not exist",
        request={"student_id": "s-99999", "course_id": "cs-310"},
        answer=errors.StudentNotFound("s-99999"),
    ),
    Example(
        method="RemoveCourse",
        title="A course that is no id",
        request={"student_id": "s-10001", "course_id": "phy 210"},
        answer=errors.InvalidRequest(
            f"course_id is not an id ({ID_RULE}).", [Violation("course_id", "is not an id")]
        ),
    ),
)
