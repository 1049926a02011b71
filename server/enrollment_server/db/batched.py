"""What `Enrollments` answers, for one request at a time: alone, or with those that wait."""

import logging
import threading
from functools import partial

from enrollment_server.batching import Batcher, Threads
from enrollment_server.db.enrollments import (
    AssociateRequest,
    AssociateResult,
    Enrollments,
    PageRequest,
    RemoveRequest,
    RemoveResult,
)
from enrollment_server.deadline import TICK, Deadline
from enrollment_server.domain import Page
from enrollment_server.metrics import Metrics

logger = logging.getLogger(__name__)


class OneByOne:
    """Answers each request as it comes, in the thread that asks, one of these."""

    def __init__(self, enrollments: Enrollments, threads: Threads) -> None:
        self._enrollments = enrollments
        self._threads = threads

    async def page(self, request: PageRequest, deadline: Deadline) -> Page | None:
        with self._threads.blocking():
            [page] = self._enrollments.list_pages([request], deadline)
        return page

    async def associate(self, request: AssociateRequest, deadline: Deadline) -> AssociateResult:
        with self._threads.blocking():
            [result] = self._enrollments.associate([request], deadline)
        return result

    async def remove(self, request: RemoveRequest, deadline: Deadline) -> RemoveResult:
        with self._threads.blocking():
            [result] = self._enrollments.remove([request], deadline)
        return result


class Batched:
    """Answers each request as `Enrollments` does, and many with the same few statements.

    Lists are batched with lists, associations with associations, removals with removals:
    what `Enrollments` promises for a batch of requests is what makes that right. `size` is the
    most requests of a batch. Deadlines are kept from `start` until `stop`.
    """

    def __init__(
        self,
        enrollments: Enrollments,
        threads: Threads,
        size: int,
        metrics: Metrics,
    ) -> None:
        took = metrics.batch_size
        self._pages = Batcher[PageRequest, Page | None](
            partial(enrollments.list_pages, patient=False),
            keys=lambda request: [request.student_id],
            threads=threads,
            size=size,
            took=took.labels("list").observe,
        )
        self._associate = Batcher[AssociateRequest, AssociateResult](
            partial(enrollments.associate, patient=False),
            keys=_associate_keys,
            threads=threads,
            size=size,
            took=took.labels("associate").observe,
        )
        self._remove = Batcher[RemoveRequest, RemoveResult](
            partial(enrollments.remove, patient=False),
            keys=lambda request: [request],
            threads=threads,
            size=size,
            took=took.labels("remove").observe,
        )
        self.page = self._pages.answer
        self.associate = self._associate.answer
        self.remove = self._remove.answer
        self._stopping = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._keep_deadlines, name="deadlines", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def _keep_deadlines(self) -> None:
        while not self._stopping.wait(TICK):
            try:
                for batcher in (self._pages, self._associate, self._remove):
                    batcher.look()
            except Exception:  # nobody else would notice that it has gone
                logger.exception("deadlines were not looked at")


def _associate_keys(request: AssociateRequest) -> list[tuple[str, ...]]:
    """What others may have locked: the student, an association, or a course."""
    student_id, course_ids = request
    courses = [("", course_id) for course_id in course_ids]
    return [(student_id,), *courses, *((student_id, course_id) for course_id in course_ids)]
