"""The server, with all that is around the service, and a service that touches no database."""

import sys
from datetime import UTC, datetime
from typing import Any

from bench.servers import TAKEN
from enrollment_server import app
from enrollment_server.cli import main
from enrollment_server.domain import Association, Course, Page, StudentCourse

NOW = datetime.now(UTC)
PAGE = Page(
    tuple(StudentCourse(Course(f"c-{n}", f"C {n}", f"Course {n}"), NOW) for n in range(TAKEN)),
)


class Nothing:
    """Answers as the service does, always the same."""

    def __init__(self, *_: Any) -> None:
        pass

    async def get_student_courses(self, *_: Any, **__: Any) -> Page:
        return PAGE

    async def associate_student_with_courses(
        self, _student_id: str, course_ids: list[str], **_: Any
    ) -> tuple[Association, ...]:
        return tuple(Association(course_id, True, NOW) for course_id in course_ids)

    async def remove_student_course(self, *_: Any, **__: Any) -> bool:
        return True


if __name__ == "__main__":
    root: Any = app
    root.AssociationService = Nothing
    main(sys.argv[1:])
