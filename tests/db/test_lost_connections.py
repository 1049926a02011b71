"""Connections that break in the middle: PostgreSQL ends them, at every step and at the commit.

Whatever happens, what the caller is told is what the table says.
"""

from itertools import count
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event, text

from enrollment_server.db import backends, database
from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import Enrollments, RemoveResult
from enrollment_server.errors import DatabaseUnavailable
from tests.db.acts import (
    WRITES,
    Act,
    associate,
    begin_with_chess,
    lose_answers_to_commits,
    remove,
    table,
)
from tests.support.databases import Databases, terminate
from tests.support.rows import insert_students_and_courses


@pytest.fixture
def engine(postgresql_databases: Databases) -> Engine:
    url = postgresql_databases.fresh()
    insert_students_and_courses(url)
    return backends.create_engine(url)


@pytest.fixture
def enrollments(engine: Engine) -> Enrollments:
    enrollments = Enrollments(Database(engine, connections=2))
    begin_with_chess(enrollments)
    return enrollments


@pytest.mark.parametrize(("act", "answer", "rows"), WRITES)
def test_lost_before_any_statement_the_work_is_done_again(
    engine: Engine, enrollments: Enrollments, act: Act, answer: Any, rows: Any
) -> None:
    for place in count(1):
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM student_courses"))
        begin_with_chess(enrollments)
        steps = list(range(1, place + 1))

        def break_it(_conn: object, cursor: Any, *_: object, left: list[int] = steps) -> None:
            if left and left.pop() == 1:
                terminate(engine.url, cursor.connection.info.backend_pid)

        event.listen(engine, "before_cursor_execute", break_it)
        try:
            assert act(enrollments) == answer
        finally:
            event.remove(engine, "before_cursor_execute", break_it)

        assert table(engine) == rows
        if steps:  # it takes no more statements than that
            assert place > 2
            break


@pytest.mark.parametrize(("act", "answer", "rows"), WRITES)
def test_lost_before_the_commit_the_work_is_done_again(
    engine: Engine, enrollments: Enrollments, act: Act, answer: Any, rows: Any
) -> None:
    pending = ["once"]

    def break_it(connection: Any) -> None:
        if pending:
            pending.pop()
            terminate(engine.url, connection.connection.dbapi_connection.info.backend_pid)

    event.listen(engine, "commit", break_it)

    assert act(enrollments) == answer
    assert not pending
    assert table(engine) == rows


@pytest.mark.parametrize(("act", "answer", "rows"), WRITES)
def test_lost_after_the_commit_the_answer_is_still_true(
    engine: Engine,
    enrollments: Enrollments,
    monkeypatch: pytest.MonkeyPatch,
    act: Act,
    answer: Any,
    rows: Any,
) -> None:
    lose_answers_to_commits(engine, monkeypatch)

    assert act(enrollments) == answer
    assert table(engine) == rows


@pytest.mark.parametrize("act", [associate, remove])
def test_a_commit_that_nobody_can_tell_of_is_unavailable(
    engine: Engine, enrollments: Enrollments, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("no such server")

    lose_answers_to_commits(
        engine,
        monkeypatch,
        after=lambda: monkeypatch.setattr(engine.dialect, "connect", refuse),
    )

    with pytest.raises(DatabaseUnavailable):
        act(enrollments)


def test_a_commit_in_progress_is_waited_for(
    engine: Engine, enrollments: Enrollments, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_answers_to_commits(engine, monkeypatch)
    monkeypatch.setattr(database, "LONGEST_PAUSE", 0)
    answers = iter(["in progress", "in progress", "committed"])
    monkeypatch.setattr(Connection, "scalar", lambda *_: next(answers))

    assert remove(enrollments) == [RemoveResult.REMOVED]
    assert list(answers) == []
