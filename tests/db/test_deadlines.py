"""A call that is over ends what the database does for it: PostgreSQL waits for locks for ever."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from enrollment_server.db import backends
from enrollment_server.db.database import Database, Unit
from enrollment_server.db.enrollments import AssociateRequest, Enrollments
from enrollment_server.db.watch import Watch
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import Conflict, DatabaseUnavailable, DeadlineExceeded
from tests.support.databases import Databases, blocked, locked
from tests.support.rows import insert_students_and_courses
from tests.support.waiting import wait_until


@pytest.fixture
def engine(postgresql_databases: Databases) -> Engine:
    url = postgresql_databases.fresh()
    insert_students_and_courses(url)
    return backends.create_engine(url)


@pytest.fixture
def enrollments(engine: Engine) -> Enrollments:
    return Enrollments(Database(engine))


def associate(enrollments: Enrollments, deadline: Deadline) -> Any:
    return enrollments.associate([AssociateRequest("ada", ("chess",))], deadline)


def waiting_statements(engine: Engine) -> int:
    """How many statements wait for a lock in this database."""
    other = backends.create_engine(engine.url)
    with other.connect() as connection:
        count = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        )
    return int(count or 0)


def test_a_statement_ends_with_its_deadline(engine: Engine, enrollments: Enrollments) -> None:
    with blocked(engine.url, "ada", "chess"):
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            associate(enrollments, Deadline(0.3))
        assert 0.3 < time.monotonic() - start < 0.8
        assert waiting_statements(engine) == 0

    assert associate(enrollments, NEVER)[0].associations[0].created


def test_a_statement_ends_when_its_caller_leaves(engine: Engine, enrollments: Enrollments) -> None:
    left = Event()
    with blocked(engine.url, "ada", "chess"), ThreadPoolExecutor(1) as threads:
        call = threads.submit(
            associate, enrollments, Deadline(60, wanted=lambda: not left.is_set())
        )
        wait_until(lambda: waiting_statements(engine) == 1)

        left.set()

        assert isinstance(call.exception(timeout=0.5), DeadlineExceeded)
        assert waiting_statements(engine) == 0


def test_a_cancellation_that_comes_late_hits_nobody(engine: Engine) -> None:
    """It is on its way when its statement ends by itself, and the pool has one connection."""
    on_its_way, may_arrive, arrived = Event(), Event(), Event()

    def cancel(connection: Any) -> None:
        on_its_way.set()
        may_arrive.wait(10)
        connection.cancel_safe()
        arrived.set()

    database = Database(engine)
    database.watch = Watch(cancel)

    def backend(unit: Unit, *, then: Callable[[], Any]) -> int:
        with unit.reading() as connection:
            number = connection.scalar(text("SELECT pg_backend_pid()"))
            then()
            connection.execute(text("SELECT 1"))
            return int(number or 0)

    first = database.run(lambda unit: backend(unit, then=on_its_way.wait), Deadline(0.1))

    def late_cancellation() -> None:
        may_arrive.set()
        assert arrived.wait(10)

    second = database.run(lambda unit: backend(unit, then=late_cancellation), NEVER)

    assert first != second


@pytest.mark.parametrize(
    "deadline", [Deadline(0), Deadline(60, wanted=lambda: False)], ids=["over", "left"]
)
def test_what_nobody_waits_for_is_not_begun(url: Any, deadline: Deadline) -> None:
    engine = backends.create_engine(url)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *event: statements.append(event[2]))

    with pytest.raises(DeadlineExceeded):
        associate(Enrollments(Database(engine)), deadline)

    assert statements == []


def test_a_server_that_takes_connections_and_says_nothing_is_unavailable_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = backends.create_engine(backends.parse_url(f"postgresql://u@127.0.0.1:{port}/x"))
        start = time.monotonic()

        with pytest.raises(DatabaseUnavailable):
            associate(Enrollments(Database(engine)), Deadline(0.3))

        assert time.monotonic() - start < 0.8


def test_what_a_client_has_locked_that_vanished_is_free_again(
    engine: Engine, enrollments: Enrollments
) -> None:
    vanished = backends.create_engine(engine.url)
    with vanished.connect() as connection:
        connection.execute(text("INSERT INTO student_courses VALUES ('ada', 'chess', now())"))

        assert associate(enrollments, Deadline(3))[0].associations[0].created

        connection.invalidate()  # it is gone


def test_options_of_the_url_come_on_top_of_ours(engine: Engine) -> None:
    url = engine.url.update_query_dict({"options": "-c statement_timeout=7s"})
    configured = backends.create_engine(url)
    with configured.connect() as connection:
        timeouts = [
            connection.scalar(text(f"SHOW {name}"))
            for name in ("statement_timeout", "idle_in_transaction_session_timeout")
        ]

    assert timeouts == ["7s", "2s"]


def test_a_busy_sqlite_is_waited_for_no_longer_than_the_deadline(
    sqlite_databases: Databases,
) -> None:
    url = sqlite_databases.fresh()
    insert_students_and_courses(url)
    engine = backends.create_engine(url)
    with locked(url):
        start = time.monotonic()
        with pytest.raises((Conflict, DeadlineExceeded)):
            associate(Enrollments(Database(engine)), Deadline(0.3))
        assert time.monotonic() - start < 0.8
