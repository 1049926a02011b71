"""The association service: the rules of enrolment."""

from collections.abc import Sequence

from enrollment_server.db.batched import Batched, OneByOne
from enrollment_server.db.enrollments import (
    AssociateRequest,
    PageRequest,
    RemoveRequest,
    RemoveResult,
)
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.domain import Association, Page
from enrollment_server.errors import CourseNotAssociated, CourseNotFound, StudentNotFound
from enrollment_server.metrics import Metrics

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class AssociationService:
    """Associates students with courses.

    Ids are well formed (`enrollment_server.domain.is_id`) when they come here. Beside the
    errors that each method names, all raise DatabaseUnavailable and Conflict, and, when
    their deadline is over, DeadlineExceeded. They are coroutines
    (`enrollment_server.coroutines`): while a request waits for a batch, it keeps no thread.
    """

    def __init__(self, enrollments: Batched | OneByOne, metrics: Metrics | None = None) -> None:
        self._enrollments = enrollments
        self._metrics = metrics or Metrics()

    async def associate_student_with_courses(
        self, student_id: str, course_ids: Sequence[str], *, deadline: Deadline = NEVER
    ) -> tuple[Association, ...]:
        """Associate a student with all of the courses or, on any error, with none.

        `course_ids` is not empty. Returns one association for each distinct id, in the
        order in which each is first asked for.

        Raises StudentNotFound, and CourseNotFound naming every unknown course.
        """
        distinct = tuple(dict.fromkeys(course_ids))
        request = AssociateRequest(student_id, distinct)
        result = await self._enrollments.associate(request, deadline)
        if not result.student_known:
            raise StudentNotFound(student_id)
        if result.unknown_course_ids:
            raise CourseNotFound(result.unknown_course_ids)
        self._metrics.associations_created.inc(sum(a.created for a in result.associations))
        return result.associations

    async def get_student_courses(
        self,
        student_id: str,
        page_size: int = 0,
        after: str = "",
        *,
        deadline: Deadline = NEVER,
    ) -> Page:
        """A page of a student's courses, ordered bytewise by id, with ids above `after`.

        `page_size` is not negative; 0 stands for DEFAULT_PAGE_SIZE, and what is above
        MAX_PAGE_SIZE for that (AIP-158).

        Raises StudentNotFound.
        """
        size = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        page = await self._enrollments.page(PageRequest(student_id, after, size), deadline)
        if page is None:
            raise StudentNotFound(student_id)
        return page

    async def remove_student_course(
        self,
        student_id: str,
        course_id: str,
        *,
        allow_missing: bool = False,
        deadline: Deadline = NEVER,
    ) -> bool:
        """Remove a course from a student; returns whether it was there.

        It is False only with `allow_missing` (AIP-135). Raises StudentNotFound, and
        CourseNotAssociated, also for a course that does not exist.
        """
        result = await self._enrollments.remove(RemoveRequest(student_id, course_id), deadline)
        if result is RemoveResult.STUDENT_UNKNOWN:
            raise StudentNotFound(student_id)
        if result is RemoveResult.NOT_ASSOCIATED and not allow_missing:
            raise CourseNotAssociated(student_id, course_id)
        removed = result is RemoveResult.REMOVED
        self._metrics.associations_removed.inc(removed)
        return removed
