"""The same as `Enrollments`, for one request at a time: those that wait are batched."""

from collections.abc import Sequence
from functools import partial

from enrollment_server.batching import Batcher
from enrollment_server.db.enrollments import (
    AssociateRequest,
    AssociateResult,
    Enrollments,
    PageRequest,
    RemoveRequest,
    RemoveResult,
)
from enrollment_server.deadline import Deadline
from enrollment_server.domain import Page
from enrollment_server.metrics import Metrics


class BatchedEnrollments:
    """Answers each request as `Enrollments` does, and many with the same few statements.

    Lists are batched with lists, associations with associations, removals with removals:
    what `Enrollments` promises for a batch of requests is what makes that right.
    """

    def __init__(self, enrollments: Enrollments, size: int, metrics: Metrics) -> None:
        took = metrics.batch_size
        self._pages = Batcher[PageRequest, Page | None](
            partial(enrollments.list_pages, patient=False),
            enrollments.list_pages,
            keys=lambda request: [request.student_id],
            size=size,
            took=took.labels("list").observe,
        )
        # What others have locked may be the student, an association, or a course.
        self._associate = Batcher[AssociateRequest, AssociateResult](
            partial(enrollments.associate, patient=False),
            enrollments.associate,
            keys=lambda request: [("student", request.student_id), *request.course_ids],
            size=size,
            took=took.labels("associate").observe,
        )
        self._remove = Batcher[RemoveRequest, RemoveResult](
            partial(enrollments.remove, patient=False),
            enrollments.remove,
            keys=lambda request: [request.student_id],
            size=size,
            took=took.labels("remove").observe,
        )

    def list_pages(self, requests: Sequence[PageRequest], deadline: Deadline) -> list[Page | None]:
        return [self._pages.answer(request, deadline) for request in requests]

    def associate(
        self, requests: Sequence[AssociateRequest], deadline: Deadline
    ) -> list[AssociateResult]:
        return [self._associate.answer(request, deadline) for request in requests]

    def remove(self, requests: Sequence[RemoveRequest], deadline: Deadline) -> list[RemoveResult]:
        return [self._remove.answer(request, deadline) for request in requests]
