"""Bulk writes: what they say, and what they leave when something gets in their way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from enrollment_server.db import backends
from enrollment_server.db.bulk import Bulk, UnknownPair, Upserted
from enrollment_server.errors import Conflict
from tests.db.acts import conflicts, lose_answers_to_commits
from tests.support.databases import Databases, terminate
from tests.support.rows import insert_students_and_courses

# Two to associate, one of them twice, and what is unknown.
PAIRS = [
    ("bob", "chess"),
    ("ada", "nothing"),
    ("ada", "chess"),
    ("nobody", "chess"),
    ("bob", "chess"),
    ("nobody", "nothing"),
    ("ada", "nothing"),
]
ASSOCIATED = (
    2,
    [
        UnknownPair(1, student_unknown=False, course_unknown=True),
        UnknownPair(3, student_unknown=True, course_unknown=False),
        UnknownPair(5, student_unknown=True, course_unknown=True),
        UnknownPair(6, student_unknown=False, course_unknown=True),
    ],
)
TABLE = [("ada", "chess"), ("bob", "chess")]


pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.fixture
def engine(engine: Engine) -> Engine:
    insert_students_and_courses(engine.url)
    return engine


def table(engine: Engine) -> list[tuple[str, str]]:
    query = text("SELECT student_id, course_id FROM student_courses ORDER BY 1, 2")
    with engine.connect() as connection:
        return [(student_id, course_id) for student_id, course_id in connection.execute(query)]


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM student_courses"))


def nth(place: int) -> Callable[[int, str], bool]:
    return lambda number, _statement: number == place


@contextmanager
def conflicting(engine: Engine, at: Callable[[int, str], bool]) -> Iterator[list[str]]:
    """Conflicts in place of some statements, by their number and text; yields those."""
    error = conflicts(engine)[0]
    numbers, raised = count(), list[str]()

    def step(_cursor: object, statement: str, *_: object) -> None:
        if at(next(numbers), statement):
            raised.append(statement)
            raise error

    event.listen(engine, "do_execute", step, insert=True)
    try:
        yield raised
    finally:
        event.remove(engine, "do_execute", step)


@contextmanager
def lost_connection(engine: Engine, place: int) -> Iterator[list[str]]:
    """PostgreSQL ends the connection before one of the statements; yields that."""
    numbers, lost = count(), list[str]()

    def lose(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        if next(numbers) == place:
            lost.append(statement)
            terminate(engine.url, cursor.connection.info.backend_pid)

    event.listen(engine, "before_cursor_execute", lose)
    try:
        yield lost
    finally:
        event.remove(engine, "before_cursor_execute", lose)


def test_associates_all_that_can_be_and_tells_the_rest_by_place(engine: Engine) -> None:
    assert Bulk(engine).associate(PAIRS) == ASSOCIATED
    assert table(engine) == TABLE


def test_associating_again_adds_nothing(engine: Engine) -> None:
    Bulk(engine).associate(PAIRS)

    assert Bulk(engine).associate(PAIRS) == (0, ASSOCIATED[1])
    assert table(engine) == TABLE


def test_checking_tells_the_same_and_writes_nothing(engine: Engine) -> None:
    assert Bulk(engine).unknown_pairs(PAIRS) == ASSOCIATED[1]
    assert table(engine) == []


def test_after_a_conflict_at_any_statement_the_rows_are_associated(engine: Engine) -> None:
    for place in count():
        empty(engine)
        with conflicting(engine, nth(place)) as raised:
            assert Bulk(engine).associate(PAIRS) == ASSOCIATED
        assert table(engine) == TABLE
        if not raised:  # it takes no more statements than that
            assert place > 2
            break


def test_after_a_conflict_that_stays_nothing_is_associated(engine: Engine) -> None:
    bulk = Bulk(engine)
    with (
        conflicting(engine, lambda _, statement: "INSERT INTO student_courses" in statement),
        pytest.raises(Conflict),
    ):
        bulk.associate(PAIRS)

    assert table(engine) == []
    assert bulk.associate(PAIRS) == ASSOCIATED


def test_upserts_count_what_is_new_and_what_differs(engine: Engine) -> None:
    rows = [("ada", "Ada", "ada@example.edu"), ("bob", "Bob\t\\N", None), ("eve", "Eve", None)]

    assert Bulk(engine).upsert_students(rows) == Upserted(1, 1)
    assert Bulk(engine).upsert_students(rows) == Upserted(0, 0)


class TestLostConnections:
    @pytest.fixture
    def engine(self, postgresql_databases: Databases) -> Engine:
        url = postgresql_databases.fresh()
        insert_students_and_courses(url)
        return backends.create_engine(url)

    def test_at_any_statement_change_no_answer(self, engine: Engine) -> None:
        for place in count():
            empty(engine)
            with lost_connection(engine, place) as lost:
                assert Bulk(engine).associate(PAIRS) == ASSOCIATED
            assert table(engine) == TABLE
            if not lost:
                assert place > 2
                break

    def test_after_the_commit_change_no_count(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lose_answers_to_commits(engine, monkeypatch)

        assert Bulk(engine).upsert_students([("eve", "Eve", None)]) == Upserted(1, 0)
        assert Bulk(engine).associate(PAIRS) == ASSOCIATED
