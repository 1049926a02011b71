"""What the documentation's examples are run on: the sample database, served in both forms."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from scripts.gateway import local
from sqlalchemy import URL

from tests.support.databases import Databases
from tests.support.gateway import envoy
from tests.support.places import BIN
from tests.support.sample import sample_database
from tests.support.serving import free_address, serving_process


@pytest.fixture(scope="session")
def sample(sqlite_databases: Databases) -> URL:
    return sample_database(sqlite_databases)


@pytest.fixture(scope="session")
def running_server(sample: URL) -> Iterator[str]:
    with serving_process(BIN / "enrollment-server", sample) as server:
        yield server.address


@pytest.fixture(scope="session")
def running_gateway(running_server: str) -> Iterator[str]:
    with envoy(local(free_address(), running_server)) as address:
        yield f"http://{address}"


@pytest.fixture
def server(running_server: str, sample: URL) -> Iterator[str]:
    """The address of a server of the sample database, as it was loaded."""
    with undone(sample):
        yield running_server


@pytest.fixture
def gateway(running_gateway: str, sample: URL) -> Iterator[str]:
    """The URL of a gateway to the sample database, as it was loaded."""
    with undone(sample):
        yield running_gateway


@contextmanager
def undone(url: URL) -> Iterator[None]:
    """What is associated and removed within the context is undone at its end."""
    with closing(sqlite3.connect(str(url.database))) as connection:
        rows = connection.execute("SELECT * FROM student_courses").fetchall()
        yield
        with connection:
            connection.execute("DELETE FROM student_courses")
            connection.executemany("INSERT INTO student_courses VALUES (?, ?, ?)", rows)
