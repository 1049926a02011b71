"""What the client's methods return: the contract's messages as plain values."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from google.protobuf.timestamp_pb2 import Timestamp

from enrollment.v1 import enrollment_pb2 as pb

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Outcome(Enum):
    """How an association came to be."""

    CREATED = "CREATED"
    ALREADY_ASSOCIATED = "ALREADY_ASSOCIATED"
    UNKNOWN = "UNKNOWN"
    """A newer server said something that this client does not know."""


@dataclass(frozen=True, slots=True)
class CourseAssociation:
    """What became of one course asked for.

    `create_time` is when the association was made, by this call or before it; it is aware,
    in UTC.
    """

    course_id: str
    outcome: Outcome
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Course:
    """A course; `code` may be empty."""

    id: str
    code: str
    title: str


@dataclass(frozen=True, slots=True)
class StudentCourse:
    """A course that a student takes, since `create_time` (aware, in UTC)."""

    course: Course
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `next_page_token` asks for the one after it, empty on the last."""

    courses: tuple[StudentCourse, ...]
    next_page_token: str


_OUTCOMES = {
    pb.CourseAssociation.OUTCOME_CREATED: Outcome.CREATED,
    pb.CourseAssociation.OUTCOME_ALREADY_ASSOCIATED: Outcome.ALREADY_ASSOCIATED,
}


def association(message: pb.CourseAssociation) -> CourseAssociation:
    outcome = _OUTCOMES.get(message.outcome, Outcome.UNKNOWN)
    return CourseAssociation(message.course_id, outcome, _time(message.create_time))


def page(message: pb.ListStudentCoursesResponse) -> Page:
    courses = tuple(_student_course(taken) for taken in message.courses)
    return Page(courses, message.next_page_token)


def _student_course(message: pb.StudentCourse) -> StudentCourse:
    course = Course(message.course.id, message.course.code, message.course.title)
    return StudentCourse(course, _time(message.create_time))


def _time(timestamp: Timestamp) -> datetime:
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)
