"""Units of work: what is run again, and what is given up, on every database."""

import sqlite3
import traceback
from collections.abc import Callable
from contextlib import suppress

import psycopg.errors
import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from enrollment_server.db import backends
from enrollment_server.db.database import ATTEMPTS, Database, Unit
from enrollment_server.db.faults import UnexpectedError
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import Conflict, DatabaseUnavailable, DeadlineExceeded, Locked
from tests.support.databases import Databases, locked, terminate

pytestmark = pytest.mark.usefixtures("no_pauses")


def failing(times: int, error: Exception) -> tuple[list[int], Callable[[Unit], str]]:
    """A unit of work that fails so many times, and the attempts at it."""
    attempts: list[int] = []

    def work(_unit: Unit) -> str:
        attempts.append(1)
        if len(attempts) <= times:
            raise error
        return "done"

    return attempts, work


def sqlite_error(name: str) -> DBAPIError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorname = name
    return OperationalError("INSERT", {}, error)


def postgresql_error(error: type[psycopg.Error]) -> DBAPIError:
    return OperationalError("INSERT", {}, error("as the server says"))


CONFLICTS = [
    sqlite_error("SQLITE_BUSY"),
    sqlite_error("SQLITE_BUSY_SNAPSHOT"),
    postgresql_error(psycopg.errors.SerializationFailure),
    postgresql_error(psycopg.errors.DeadlockDetected),
    IntegrityError("INSERT", {}, psycopg.errors.ForeignKeyViolation("gone")),
]
UNAVAILABLE = [
    sqlite_error("SQLITE_CANTOPEN"),
    sqlite_error("SQLITE_IOERR_WRITE"),
    sqlite_error("SQLITE_FULL"),
    postgresql_error(psycopg.errors.AdminShutdown),
    postgresql_error(psycopg.errors.TooManyConnections),
    postgresql_error(psycopg.errors.ReadOnlySqlTransaction),
    postgresql_error(psycopg.errors.QueryCanceled),
    postgresql_error(psycopg.OperationalError),  # no answer from a server at all
]


@pytest.mark.parametrize("error", CONFLICTS, ids=repr)
def test_a_conflict_is_run_again(engine: Engine, error: DBAPIError) -> None:
    attempts, work = failing(ATTEMPTS - 1, error)

    assert Database(engine).run(work, NEVER) == "done"
    assert len(attempts) == ATTEMPTS


@pytest.mark.parametrize("error", CONFLICTS, ids=repr)
def test_a_conflict_that_stays_is_given_up(engine: Engine, error: DBAPIError) -> None:
    attempts, work = failing(ATTEMPTS, error)

    with pytest.raises(Conflict):
        Database(engine).run(work, NEVER)
    assert len(attempts) == ATTEMPTS


class TestLockedRow:
    """What others have locked for LOCK_TIMEOUT."""

    ERROR = postgresql_error(psycopg.errors.LockNotAvailable)

    def test_is_waited_for_as_long_as_the_deadline_lasts(self, engine: Engine) -> None:
        _, work = failing(3 * ATTEMPTS, self.ERROR)

        assert Database(engine).run(work, NEVER) == "done"

        _, work = failing(10**9, self.ERROR)
        with pytest.raises((Conflict, DeadlineExceeded)):
            Database(engine).run(work, Deadline(0.05))

    def test_leaves_as_many_attempts_for_conflicts(self, engine: Engine) -> None:
        _, conflicting = failing(ATTEMPTS - 1, CONFLICTS[0])
        locked = iter([self.ERROR] * ATTEMPTS)

        def work(unit: Unit) -> str:
            for error in locked:
                raise error
            return conflicting(unit)

        assert Database(engine).run(work, NEVER) == "done"

    def test_is_given_up_at_once_by_who_is_not_patient(self, engine: Engine) -> None:
        attempts, work = failing(1, self.ERROR)

        with pytest.raises(Locked):
            Database(engine).run(work, NEVER, patient=False)
        assert len(attempts) == 1


@pytest.mark.parametrize("error", UNAVAILABLE, ids=repr)
def test_an_unavailable_database_is_said_at_once(engine: Engine, error: DBAPIError) -> None:
    attempts, work = failing(1, error)

    with pytest.raises(DatabaseUnavailable):
        Database(engine).run(work, NEVER)
    assert len(attempts) == 1


def test_a_defect_is_not_hidden(engine: Engine) -> None:
    def work(unit: Unit) -> None:
        with unit.reading() as connection:
            connection.execute(text("SELECT no_such_column"))

    with pytest.raises(UnexpectedError, match="no_such_column"):
        Database(engine).run(work, NEVER)


def test_a_defect_is_told_without_the_row_it_is_about(engine: Engine) -> None:
    def work(unit: Unit) -> None:
        with unit.transaction() as transaction:
            row = {"id": "secret-id", "name": None}
            transaction.connection.execute(
                text("INSERT INTO students (id, name) VALUES (:id, :name)"), row
            )

    with pytest.raises(UnexpectedError) as defect:
        Database(engine).run(work, NEVER)

    assert "secret-id" not in "".join(traceback.format_exception(defect.value))


def test_a_transaction_after_an_autocommit_block_is_one(engine: Engine) -> None:
    """As in a migration that creates an index without a lock."""
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        with connection.begin():
            connection.execute(text("CREATE TABLE before (id int)"))
        connection.execution_options(isolation_level=connection.default_isolation_level)
        with suppress(ZeroDivisionError), connection.begin():
            connection.execute(text("CREATE TABLE after (id int)"))
            raise ZeroDivisionError

    tables = inspect(engine).get_table_names()
    assert "before" in tables
    assert "after" not in tables


class TestLostConnection:
    """PostgreSQL ends a connection, as it does when it restarts."""

    @pytest.fixture
    def engine(self, postgresql_databases: Databases) -> Engine:
        return backends.create_engine(postgresql_databases.fresh())

    def test_is_replaced_for_a_read(self, engine: Engine) -> None:
        units = Database(engine)
        first = units.run(backend_of, NEVER)
        terminate(engine.url, first)

        assert units.run(backend_of, NEVER) != first


def backend_of(unit: Unit) -> int:
    with unit.reading() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


class TestBusySQLite:
    """Another process holds SQLite's write lock."""

    @pytest.fixture
    def engine(self, sqlite_databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Engine:
        monkeypatch.setattr(backends, "BUSY_TIMEOUT", 0.001)
        return backends.create_engine(sqlite_databases.fresh())

    def test_is_a_conflict_for_a_writer(self, engine: Engine) -> None:
        units = Database(engine)

        def work(unit: Unit) -> None:
            with unit.transaction():
                pass

        with locked(engine.url), pytest.raises(Conflict):
            units.run(work, NEVER)
        units.run(work, NEVER)

    def test_is_nothing_to_a_reader(self, engine: Engine) -> None:
        units = Database(engine)

        def work(unit: Unit) -> int:
            with unit.reading() as connection:
                return int(connection.execute(text("SELECT count(*) FROM students")).scalar_one())

        with locked(engine.url):
            assert units.run(work, NEVER) == 0


class TestSQLiteSettings:
    @pytest.mark.parametrize(
        ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
    )
    def test_hold_on_every_connection(
        self, sqlite_databases: Databases, pragma: str, value: object
    ) -> None:
        engine = backends.create_engine(sqlite_databases.fresh())
        with (
            engine.connect() as first,
            backends.autocommitting(engine).connect() as second,
        ):
            for connection in (first, second):
                assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://host/database",
        "postgresql+psycopg2://host/database",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://host:not-a-port/database",
        "",
        "sqlite:///file:x.db?mode=memory&uri=true",
        "postgresql://me:hunt@er2@host/database",
    ],
)
def test_a_bad_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(backends.BadDatabaseUrlError) as refusal:
        backends.parse_url(url)

    assert not url or url not in str(refusal.value)


def test_a_url_is_shown_without_its_secrets() -> None:
    for spelled in (
        "postgresql://me:secret@host/db",
        "postgresql://host/db?user=me&password=secret",
    ):
        assert "secret" not in backends.shown(backends.parse_url(spelled))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_psycopg(scheme: str) -> None:
    assert backends.parse_url(f"{scheme}://host/db").drivername == "postgresql+psycopg"
