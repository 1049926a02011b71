"""What is done to a database while something goes wrong, and what must come of it."""

import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg.errors
import pytest
from sqlalchemy import Engine, text

from enrollment_server.db.enrollments import (
    AssociateRequest,
    Enrollments,
    PageRequest,
    RemoveRequest,
    RemoveResult,
)
from enrollment_server.deadline import NEVER

Act = Callable[[Enrollments], Any]


def begin_with_chess(enrollments: Enrollments) -> None:
    """What each act finds: one course, associated."""
    enrollments.associate([AssociateRequest("ada", ("chess",))], NEVER)


def associate(enrollments: Enrollments) -> list[tuple[str, bool]]:
    [result] = enrollments.associate([AssociateRequest("ada", ("algebra", "chess"))], NEVER)
    return [(a.course_id, a.created) for a in result.associations]


def list_courses(enrollments: Enrollments) -> list[str]:
    [page] = enrollments.list_pages([PageRequest("ada", "", 10)], NEVER)
    assert page is not None
    return [taken.course.id for taken in page.courses]


def remove(enrollments: Enrollments) -> list[RemoveResult]:
    return enrollments.remove([RemoveRequest("ada", "chess")], NEVER)


def table(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(
            connection.scalars(text("SELECT course_id FROM student_courses ORDER BY course_id"))
        )


def conflicts(engine: Engine) -> list[Exception]:
    """What the driver of this database raises when others are in the way."""
    if engine.dialect.name == "postgresql":
        return [psycopg.errors.SerializationFailure(), psycopg.errors.DeadlockDetected()]
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorname = "SQLITE_BUSY"
    return [busy]


def lose_answers_to_commits(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, after: Callable[[], None] = lambda: None
) -> None:
    """Let every commit succeed, and its connection break before the answer comes."""

    def do_commit(connection: Any) -> None:
        connection.commit()
        connection.dbapi_connection.close()
        after()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(engine.dialect, "do_commit", do_commit)


# Each with its answer, and the table after it.
WRITES: list[Any] = [
    pytest.param(
        associate, [("algebra", True), ("chess", False)], ["algebra", "chess"], id="associate"
    ),
    pytest.param(remove, [RemoveResult.REMOVED], [], id="remove"),
]
ACTS: list[Any] = [*WRITES, pytest.param(list_courses, ["chess"], ["chess"], id="list")]
