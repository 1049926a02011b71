"""The association service of a database, for tests that call it themselves."""

from collections.abc import Sequence

from sqlalchemy import Engine

from enrollment_server.coroutines import wait
from enrollment_server.db.batched import OneByOne
from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import Enrollments
from enrollment_server.domain import Association, Page
from enrollment_server.rpc.admission import CallThreads
from enrollment_server.service.association import AssociationService


def service_of(engine: Engine) -> AssociationService:
    return service_on(Database(engine, connections=16))


def service_on(database: Database) -> AssociationService:
    return AssociationService(OneByOne(Enrollments(database), CallThreads(1)))


class WaitingService:
    """The service, with methods that wait for what they return."""

    def __init__(self, service: AssociationService) -> None:
        self._service = service

    def associate_student_with_courses(
        self, student_id: str, course_ids: Sequence[str]
    ) -> tuple[Association, ...]:
        return wait(self._service.associate_student_with_courses(student_id, course_ids))

    def get_student_courses(self, student_id: str, page_size: int = 0, after: str = "") -> Page:
        return wait(self._service.get_student_courses(student_id, page_size, after))

    def remove_student_course(
        self, student_id: str, course_id: str, *, allow_missing: bool = False
    ) -> bool:
        return wait(
            self._service.remove_student_course(student_id, course_id, allow_missing=allow_missing)
        )
