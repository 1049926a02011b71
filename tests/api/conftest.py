"""Fixtures of the API's tests."""

import pytest
from sqlalchemy import URL, Engine

from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import Enrollments
from enrollment_server.service.association import AssociationService
from tests.support.api import Api
from tests.support.rows import insert_students_and_courses

LONGEST_ID = "x" * 128


@pytest.fixture
def api(url: URL, engine: Engine) -> Api:
    insert_students_and_courses(url, LONGEST_ID, "a.b_c~d:e-F9")
    return Api(AssociationService(Enrollments(Database(engine))))
