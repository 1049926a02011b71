"""The service, on a database with two students and many courses."""

import pytest
from sqlalchemy import URL, Engine

from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import Enrollments
from enrollment_server.service.association import AssociationService
from tests.support.rows import insert_students_and_courses

MANY = [f"course-{number:04}" for number in range(1500)]


@pytest.fixture
def service(url: URL, engine: Engine) -> AssociationService:
    insert_students_and_courses(url, *MANY)
    return AssociationService(Enrollments(Database(engine)))
