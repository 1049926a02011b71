"""Which connections a database goes on to use, on every database: those that are good."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from enrollment_server.db import backends
from enrollment_server.db.database import Database, Unit
from enrollment_server.deadline import NEVER
from enrollment_server.errors import DatabaseUnavailable
from tests.support.databases import Databases, terminate
from tests.support.waiting import wait_until


def read_one(unit: Unit) -> int:
    with unit.reading() as connection:
        return int(connection.execute(text("SELECT 1")).scalar_one())


def connection_of(database: Database) -> Connection:
    """The one that the next unit of work uses."""

    def work(unit: Unit) -> Connection:
        with unit.reading() as connection:
            return connection

    return database.run(work, NEVER)


def take(database: Database) -> Connection:
    return database.connections.take(NEVER, lambda: False)


def test_that_of_a_unit_before(engine: Engine) -> None:
    database = Database(engine)

    assert connection_of(database) is connection_of(database)


def test_none_whose_rollback_failed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(engine)
    before = connection_of(database)

    def work(unit: Unit) -> None:
        with unit.transaction():
            raise ZeroDivisionError

    def fail(_connection: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(engine.dialect, "do_rollback", fail)
    with pytest.raises(ZeroDivisionError):
        database.run(work, NEVER)

    assert connection_of(database) is not before


class TestAway:
    """Nobody answers at the database, as whoever looks after it has found."""

    def test_none_until_it_is_back(self, engine: Engine) -> None:
        database = Database(engine)
        database.went_away()

        with pytest.raises(DatabaseUnavailable):
            database.run(read_one, NEVER)

        database.came_back()
        assert database.run(read_one, NEVER) == 1

    def test_none_for_who_already_waits_for_one(self, engine: Engine) -> None:
        database = Database(engine)
        take(database)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(database.run, read_one, NEVER)
            wait_until(lambda: len(database.connections._slots._waiting) == 1)

            database.went_away()

            assert isinstance(waiting.exception(timeout=1), DatabaseUnavailable)

    def test_none_from_before(self, engine: Engine) -> None:
        database = Database(engine)
        before = connection_of(database)

        database.went_away()
        database.came_back()

        assert before.closed
        assert connection_of(database) is not before


def test_one_that_is_lost_costs_one_attempt_however_many_were_lost_with_it(
    postgresql_databases: Databases,
) -> None:
    """PostgreSQL has restarted, for instance."""
    engine = backends.create_engine(postgresql_databases.fresh())
    database = Database(engine, connections=3)
    idle: list[Any] = [take(database) for _ in range(3)]
    for connection in idle:
        database.connections.give_back(connection)
        terminate(engine.url, connection.connection.driver_connection.info.backend_pid)
    attempts = []

    def work(unit: Unit) -> int:
        attempts.append(1)
        return read_one(unit)

    assert database.run(work, NEVER) == 1
    assert len(attempts) == 2
