"""A server in a process of its own, and the clients that call it."""

import uuid
from collections.abc import Iterator
from typing import cast

import pytest
from sqlalchemy import URL

from enrollment_server.db import backends
from enrollment_server.db.bulk import Bulk
from tests.interop.clients import BufCurl, Grpcurl, TypeScript
from tests.support.api import Calls
from tests.support.databases import Databases
from tests.support.places import BIN
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving_process
from tests.support.typescript import Project

SERVER = BIN / "enrollment-server"


@pytest.fixture(scope="session")
def database(sqlite_databases: Databases) -> URL:
    """The database of the server that all tests call: each with students of its own."""
    url = sqlite_databases.fresh()
    insert_students_and_courses(url)
    return url


@pytest.fixture(scope="session")
def address(database: URL) -> Iterator[str]:
    with serving_process(SERVER, database) as server:
        yield server.address


@pytest.fixture
def student(database: URL) -> str:
    """A student that no other test has, without courses."""
    student_id = uuid.uuid4().hex
    insert_students(database, student_id)
    return student_id


def insert_students(database: URL, *student_ids: str) -> None:
    engine = backends.create_engine(database)
    Bulk(engine).upsert_students([(student_id, "Someone", None) for student_id in student_ids])


@pytest.fixture(scope="session")
def grpcurl(address: str) -> Calls:
    return Grpcurl(address)


@pytest.fixture(scope="session")
def buf_curl(address: str) -> Calls:
    return BufCurl(address)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("interop") / "typescript")


@pytest.fixture(scope="session")
def typescript(address: str, project: Project) -> Calls:
    return TypeScript(address, project)


@pytest.fixture(params=["grpcurl", "buf_curl", "typescript"])
def client(request: pytest.FixtureRequest) -> Calls:
    return cast(Calls, request.getfixturevalue(request.param))
