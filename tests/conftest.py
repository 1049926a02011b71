"""Fixtures that every folder shares. A test that takes `url` runs on every database."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import URL, Engine

from enrollment_server.db import backends
from tests.support.databases import (
    Databases,
    PostgreSQLDatabases,
    SQLiteDatabases,
)
from tests.support.postgresql import postgresql_server

GIVEN = "ENROLLMENT_TEST_DATABASE_URL"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long runs at full length")


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether the long runs are wanted at full length."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return SQLiteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgresql_databases() -> Iterator[Databases]:
    with postgresql_server() as server:
        yield PostgreSQLDatabases(server.url)


@pytest.fixture(scope="session")
def given_databases() -> Iterator[Databases]:
    """Those of a PostgreSQL server that was there already, made and dropped by the tests."""
    given = PostgreSQLDatabases(backends.parse_url(os.environ[GIVEN]))
    yield given
    given.drop_all()


@pytest.fixture(params=["sqlite", "postgresql", *(["given"] if GIVEN in os.environ else [])])
def databases(request: pytest.FixtureRequest) -> Databases:
    return cast(Databases, request.getfixturevalue(f"{request.param}_databases"))


@pytest.fixture
def url(databases: Databases) -> URL:
    """A fresh database at the newest revision."""
    return databases.fresh()


@pytest.fixture
def engine(url: URL) -> Engine:
    return backends.create_engine(url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    return tmp_path
