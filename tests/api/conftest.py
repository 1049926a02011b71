"""Fixtures of the API's tests."""

import pytest
from sqlalchemy import URL, Engine

from tests.support.api import Api
from tests.support.rows import insert_students_and_courses
from tests.support.service import service_of

LONGEST_ID = "x" * 128


@pytest.fixture
def api(url: URL, engine: Engine) -> Api:
    insert_students_and_courses(url, LONGEST_ID, "a.b_c~d:e-F9")
    return Api(service_of(engine))
