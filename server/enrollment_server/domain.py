"""The words that every layer speaks: ids, courses, associations, pages."""

import re
from dataclasses import dataclass
from datetime import datetime

ID_PATTERN = r"[A-Za-z0-9._~:-]{1,128}"
_ID = re.compile(ID_PATTERN)

ID_RULE = "an id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ : -"


def is_id(text: str) -> bool:
    """Whether `text` can name a student or a course; `ID_RULE` says it in words."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Course:
    """A course; `code` is empty where the system of record gives none."""

    id: str
    code: str
    title: str


@dataclass(frozen=True, slots=True)
class StudentCourse:
    """A course that a student takes, and since when."""

    course: Course
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a student's courses, in order.

    If others follow them, those have ids above `next_after`; if none do, it is empty.
    """

    courses: tuple[StudentCourse, ...]
    next_after: str = ""


@dataclass(frozen=True, slots=True)
class Association:
    """What became of one course asked for: made by this call (`created`), or there before."""

    course_id: str
    created: bool
    create_time: datetime
