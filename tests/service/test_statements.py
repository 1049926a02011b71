"""How many statements a call takes does not depend on how much it asks for."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from enrollment_server.db import enrollments
from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import PageRequest
from enrollment_server.deadline import NEVER
from tests.service.conftest import MANY
from tests.support.service import WaitingService

ALL_ARE_NEW = [(1, 0, 2), (10, 0, 2), (100, 0, 2)]
SOME_WERE_THERE = [(2, 1, 3), (10, 5, 3), (100, 50, 3)]
ALL_WERE_THERE = [(1, 1, 1), (10, 10, 1), (100, 100, 1)]


@pytest.mark.parametrize(
    ("courses", "there", "takes"), [*ALL_ARE_NEW, *SOME_WERE_THERE, *ALL_WERE_THERE]
)
def test_associating_takes_few(
    service: WaitingService, engine: Engine, courses: int, there: int, takes: int
) -> None:
    if there:
        service.associate_student_with_courses("ada", MANY[:there])
    with counting_statements(engine) as statements:
        service.associate_student_with_courses("ada", MANY[:courses])

    assert len(statements) == takes, statements


@pytest.mark.parametrize("page_size", [1, 10, 100])
def test_listing_takes_one(service: WaitingService, engine: Engine, page_size: int) -> None:
    service.associate_student_with_courses("ada", MANY[:100])
    with counting_statements(engine) as statements:
        service.get_student_courses("ada", page_size)

    assert len(statements) == 1, statements


def test_pages_that_are_too_much_for_one_statement_take_several(
    service: WaitingService, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.associate_student_with_courses("ada", MANY[:15])
    monkeypatch.setattr(enrollments, "MOST_COURSES", 20)
    asked = [PageRequest(student_id, "", 9) for student_id in ("ada", "nobody", "ada")]

    with counting_statements(engine) as statements:
        pages = enrollments.Enrollments(Database(engine)).list_pages(asked, NEVER)

    assert len(statements) == 2, statements
    assert [len(page.courses) if page else None for page in pages] == [9, None, 9]


def test_removing_takes_one(service: WaitingService, engine: Engine) -> None:
    service.associate_student_with_courses("ada", ["chess"])
    with counting_statements(engine) as statements:
        service.remove_student_course("ada", "chess")

    assert len(statements) == 1, statements


def test_removing_what_is_not_there_takes_two(service: WaitingService, engine: Engine) -> None:
    with counting_statements(engine) as statements:
        service.remove_student_course("ada", "chess", allow_missing=True)

    assert len(statements) == 2, statements


@contextmanager
def counting_statements(engine: Engine) -> Iterator[list[str]]:
    """The statements executed in this context, but for those that begin a transaction."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)
