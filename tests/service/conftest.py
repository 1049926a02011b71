"""The service, on a database with two students and many courses."""

import pytest
from sqlalchemy import URL, Engine

from tests.support.rows import insert_students_and_courses
from tests.support.service import WaitingService, service_of

MANY = [f"course-{number:04}" for number in range(1500)]


@pytest.fixture
def service(url: URL, engine: Engine) -> WaitingService:
    insert_students_and_courses(url, *MANY)
    return WaitingService(service_of(engine))
