"""Statements that go straight to the driver, and what SQLAlchemy knows of them all the same."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from enrollment_server.db import backends
from enrollment_server.db.driver import execute
from tests.support.databases import Databases, terminate


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with backends.autocommitting(engine).connect() as connection:
        yield connection


def test_returns_rows(connection: Connection) -> None:
    assert [tuple(row) for row in execute(connection, "SELECT 1, 'a' UNION SELECT 2, 'b'")] == [
        (1, "a"),
        (2, "b"),
    ]


def test_returns_none_of_what_has_none(connection: Connection) -> None:
    assert list(execute(connection, "CREATE TABLE other (id int)")) == []


def test_begins_no_transaction(connection: Connection) -> None:
    execute(connection, "SELECT 1")

    assert not connection.in_transaction()


def test_an_error_of_the_driver_tells_the_statement_and_not_its_parameters(
    connection: Connection,
) -> None:
    parameters: Any = ("secret",) if connection.dialect.positional else {"id": "secret"}
    place = "?" if connection.dialect.positional else "%(id)s"

    with pytest.raises(DBAPIError, match="SELECT nonsense") as error:
        execute(connection, f"SELECT nonsense FROM students WHERE id = {place}", parameters)

    assert isinstance(error.value.orig, connection.dialect.loaded_dbapi.Error)
    assert "secret" not in str(error.value)
    assert not connection.invalidated
    assert list(execute(connection, "SELECT 1"))  # it is as good as before


def test_an_error_of_another_kind_is_what_it_is(engine: Engine, connection: Connection) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    event.listen(engine, "before_cursor_execute", fail)
    with pytest.raises(ZeroDivisionError):
        execute(connection, "SELECT 1")
    event.remove(engine, "before_cursor_execute", fail)

    assert list(execute(connection, "SELECT 1"))


def test_listeners_hear_of_it(engine: Engine, connection: Connection) -> None:
    heard = []
    event.listen(engine, "before_cursor_execute", lambda *what: heard.append(("before", what[2])))
    event.listen(engine, "after_cursor_execute", lambda *what: heard.append(("after", what[2])))
    event.listen(engine, "handle_error", lambda error: heard.append(("error", error.statement)))

    execute(connection, "SELECT 1")
    with pytest.raises(DBAPIError):
        execute(connection, "SELECT nonsense")

    assert heard == [
        ("before", "SELECT 1"),
        ("after", "SELECT 1"),
        ("before", "SELECT nonsense"),
        ("error", "SELECT nonsense"),
    ]


def test_a_connection_that_is_lost_is_given_up(postgresql_databases: Databases) -> None:
    engine = backends.create_engine(postgresql_databases.fresh())
    connection = backends.autocommitting(engine).connect()
    [(backend,)] = execute(connection, "SELECT pg_backend_pid()")
    terminate(engine.url, backend)

    with pytest.raises(OperationalError) as error:
        execute(connection, "SELECT 1")

    assert error.value.connection_invalidated
    assert connection.invalidated
