"""Servers with a real Envoy in front of them, and those who call it by HTTP."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Protocol

import pytest
from scripts import gateway

from enrollment_server.db import backends
from enrollment_server.db.bulk import Bulk
from tests.support.databases import Databases
from tests.support.gateway import Answer, call, envoy
from tests.support.places import BIN
from tests.support.rows import insert_students_and_courses
from tests.support.serving import Server, free_address, serving_process

COURSES = [f"c{number:03}" for number in range(150)]
ODD_ID = "a.b_c~d:e-F9"


class Call(Protocol):
    """See tests.support.gateway.call, which is given the address."""

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer: ...


@pytest.fixture(scope="session")
def server(sqlite_databases: Databases) -> Iterator[Server]:
    """The real one, in a process of its own."""
    url = sqlite_databases.fresh()
    insert_students_and_courses(url, ODD_ID)
    engine = backends.create_engine(url)
    students = [ODD_ID, *(f"s{number}" for number in range(200))]
    Bulk(engine).upsert_students([(student, "Somebody", None) for student in students])
    Bulk(engine).upsert_courses([(course_id, None, "Title" * 200) for course_id in COURSES])
    engine.dispose()
    with serving_process(BIN / "enrollment-server", url) as server:
        yield server


@pytest.fixture(scope="session")
def address(server: Server) -> Iterator[str]:
    """Of a gateway to it."""
    with envoy(gateway.local(free_address(), server.address)) as address:
        yield address


@pytest.fixture
def http(address: str) -> Call:
    return partial(call, address)


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return count()


@pytest.fixture
def student(_numbers: Iterator[int]) -> str:
    """A student whom no other test has."""
    return f"s{next(_numbers)}"
