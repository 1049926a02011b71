"""What a call costs does not grow with the tables: the plans of all of its statements.

On PostgreSQL, each statement is explained as it is about to run: no step of its plan may handle
more rows than the call asks for, and for each of these it may look at some blocks. So it may
sort or hash what it was asked for, and the rows of a page; it may not read through a table or
an index, nor through all that a student takes. SQLite says less of its plans: there, nothing
may be scanned but the request, and nothing sorted.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from sqlalchemy import URL, event, text

from enrollment_server.db import backends
from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import (
    AssociateRequest,
    Enrollments,
    PageRequest,
    RemoveRequest,
)
from enrollment_server.deadline import NEVER
from tests.support.databases import Databases

# So large that it hurts to read a table: for a batch, PostgreSQL may read all of a smaller one.
# Some take many courses; most who take any take so few that a page is more than PostgreSQL
# expects: of 60 courses, a third is after any that it does not know.
FILL = """
SET session_replication_role = replica; -- no checks of foreign keys: they hold
INSERT INTO students
  SELECT 's-' || n, 'Student Number ' || n, n || '@example.edu' FROM generate_series(1, 20000) n;
INSERT INTO courses
  SELECT 'c-' || n, 'C ' || n, 'Course Number ' || n FROM generate_series(1, 2000) n;
INSERT INTO student_courses
  SELECT 's-' || n, 'c-' || (n * 7 + k * 31) % 2000 + 1, now()
  FROM generate_series(1, 5000) n, generate_series(1, 60) k;
INSERT INTO student_courses
  SELECT 's-' || n, 'c-' || k * 4, now()
  FROM generate_series(1, 65) n, generate_series(1, 500) k
  ON CONFLICT DO NOTHING;
ANALYZE students, courses, student_courses;
"""
ONE = ["s-1"]  # who takes many
BATCH = [f"s-{n}" for n in range(2, 66)]  # who do, too
WITHOUT = [f"s-{n}" for n in range(6001, 6065)]  # who take none

BLOCKS = 15  # for each row: to look up one, its student and its course takes about 12

PLACEHOLDER = re.compile(r"%\((\w+)\)s")  # of psycopg


class Call(NamedTuple):
    """A call, and how many rows it asks for."""

    run: Callable[[Enrollments], object]
    rows: int


def pages(students: list[str], after: str) -> Call:
    requests = [PageRequest(student_id, after, 30) for student_id in students]
    rows = 31 * len(students)  # one more than is shown tells whether there are more
    return Call(lambda enrollments: enrollments.list_pages(requests, NEVER), rows)


def associate(students: list[str], *course_ids: str) -> Call:
    requests = [AssociateRequest(student_id, course_ids) for student_id in students]
    rows = len(course_ids) * len(students)
    return Call(lambda enrollments: enrollments.associate(requests, NEVER), rows)


def remove(students: list[str], course_id: str) -> Call:
    requests = [RemoveRequest(student_id, course_id) for student_id in students]
    return Call(lambda enrollments: enrollments.remove(requests, NEVER), len(students))


CALLS = {
    f"{name}, {len(students)}": call
    for students in (ONE, BATCH)
    for name, call in {
        "empty page": pages(WITHOUT[: len(students)], ""),
        "first page": pages(students, ""),
        "late page": pages(students, "c-5"),
        "associate": associate(students, "c-1", "c-1001", "c-1999"),
        "associate, some are there": associate(students, "c-2", "c-4", "c-2000"),
        "remove": remove(students, "c-480"),
        "remove what is not there": remove(students, "c-3"),
    }.items()
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture(scope="module")
def full(postgresql_databases: Databases) -> URL:
    url = postgresql_databases.fresh()
    executed(url, FILL)
    return url


@pytest.fixture(scope="module", params=["as many as they are", "a hundred"])
def filled(request: pytest.FixtureRequest, full: URL) -> URL:
    """The database, and how many students PostgreSQL believes to take courses.

    From its sample of a large table it guesses far too few: of a million, 60 thousand.
    """
    number = 100 if request.param == "a hundred" else 0
    executed(
        full,
        f"ALTER TABLE student_courses ALTER student_id SET (n_distinct = {number});"
        "ANALYZE student_courses",
    )
    return full


def executed(url: URL, script: str) -> None:
    engine = backends.create_engine(url)
    with engine.connect() as connection, connection.begin():
        connection.execute(text(script))


@pytest.fixture
def aside(filled: URL) -> Iterator[psycopg.ClientCursor]:
    """A cursor to explain statements with: what they do there is not what the call does."""
    engine = backends.create_engine(filled)
    connection: Any = engine.raw_connection()
    yield psycopg.ClientCursor(connection.driver_connection)
    connection.close()


@each_call
def test_postgresql_does_no_more_than_is_asked_for(
    filled: URL, aside: psycopg.ClientCursor, call: Call
) -> None:
    def look(_connection: object, statement: str, parameters: Any) -> list[str]:
        return [
            problem
            # For these parameters or for any: PostgreSQL takes what it expects to cost less.
            for mode in ("force_custom_plan", "force_generic_plan")
            for problem in problems(
                explained(aside, f"SET plan_cache_mode = {mode}", statement, parameters), call.rows
            )
        ]

    assert looked_at(call, filled, look) == []


@pytest.mark.parametrize(
    "change",
    [
        "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off",
        # What is left is the index that begins with the course.
        "ALTER TABLE student_courses DROP CONSTRAINT pk_student_courses",
    ],
)
def test_a_worse_plan_is_noticed(filled: URL, aside: psycopg.ClientCursor, change: str) -> None:
    call = CALLS["empty page, 1"]

    def look(_connection: object, statement: str, parameters: Any) -> list[str]:
        return problems(explained(aside, change, statement, parameters), call.rows)

    assert looked_at(call, filled, look) != []


@each_call
def test_sqlite_searches_by_key(sqlite_databases: Databases, call: Call) -> None:
    def look(connection: Any, statement: str, parameters: Any) -> list[str]:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps = [step for *_, step in plan]
        assert steps
        return [
            step
            for step in steps
            if re.match(r"SCAN (TABLE )?(students|courses|student_courses)\b", step)
            or "TEMP B-TREE" in step
            or ("SEARCH student_courses" in step and "(student_id=?" not in step)
        ]

    assert looked_at(call, sqlite_databases.fresh(), look) == []


Look = Callable[[Any, str, Any], list[str]]  # at a driver's connection, a statement, parameters


def looked_at(call: Call, url: URL, look: Look) -> list[str]:
    """Make a call, and look at each of its statements before it runs; all that was found."""
    found: list[str] = []
    engine = backends.create_engine(url)

    @event.listens_for(engine, "before_cursor_execute")
    def note(_: object, cursor: Any, statement: str, parameters: Any, *_more: object) -> None:
        if not statement.startswith("BEGIN"):
            found.extend(look(cursor.connection, statement, parameters))

    call.run(Enrollments(Database(engine)))
    return found


def explained(
    cursor: psycopg.ClientCursor, first: str, statement: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """The plan of a statement, and what it did, in a transaction that is rolled back."""
    names = list(dict.fromkeys(PLACEHOLDER.findall(statement)))
    numbered = PLACEHOLDER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    arguments = ", ".join(["%s"] * len(names))
    cursor.execute("BEGIN")
    cursor.execute(first)
    cursor.execute(f"PREPARE explained AS {numbered}")
    cursor.execute(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE explained ({arguments})",
        [parameters[name] for name in names],
    )
    [[[answer]]] = cursor.fetchall()
    cursor.execute("ROLLBACK")
    cursor.execute("DEALLOCATE explained")
    plan: dict[str, Any] = answer["Plan"]
    return plan


def problems(plan: dict[str, Any], rows: int) -> list[str]:
    """Where a plan did more than is needed for so many rows."""
    found = [
        f"{handled} rows, not {rows}: {step}"
        for step in steps(plan)
        if (handled := rows_handled(step)) > rows
    ]
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    if blocks > BLOCKS * rows:
        found.append(f"{blocks} blocks for {rows} rows: {plan}")
    return found


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from steps(below)


def rows_handled(step: dict[str, Any]) -> float:
    """How many rows a step looked at, in all of its runs, or handed on."""
    removed = (number for key, number in step.items() if key.startswith("Rows Removed by"))
    return float((step["Actual Rows"] + sum(removed)) * step["Actual Loops"])
