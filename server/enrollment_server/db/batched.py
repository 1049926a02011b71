"""The same as `Enrollments`, for one request at a time: those that wait are batched."""

from collections.abc import Sequence

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
            enrollments.list_pages,
            key=_student,
            size=size,
            patient=True,
            took=took.labels("list").observe,
        )
        self._associate = Batcher[AssociateRequest, AssociateResult](
            enrollments.associate,
            key=_student,
            size=size,
            patient=False,
            took=took.labels("associate").observe,
        )
        self._remove = Batcher[RemoveRequest, RemoveResult](
            enrollments.remove,
            key=_student,
            size=size,
            patient=False,
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


def _student(request: PageRequest | AssociateRequest | RemoveRequest) -> str:
    return request.student_id
