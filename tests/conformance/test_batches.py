"""Calls that are made to hurt those that they are answered with."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from sqlalchemy import URL, text

from enrollment import CourseNotFound, DeadlineExceeded, EnrollmentClient, Outcome
from enrollment_server.db import backends
from enrollment_server.db.bulk import Bulk
from enrollment_server.settings import Limits
from tests.conformance.conftest import COURSES, EXECUTABLE, Callers
from tests.support.databases import Databases
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving, serving_process


def test_one_bad_call_among_many_fails_alone(callers: Callers) -> None:
    def bad(client: EnrollmentClient) -> str:
        for _ in range(20):
            with pytest.raises(CourseNotFound) as refusal:
                client.associate_courses("ada", [COURSES[0], "no-course"])
            assert refusal.value.course_ids == ("no-course",)
        return "bad"

    def good(client: EnrollmentClient) -> str:
        for course in COURSES:
            client.associate_courses("bob", [course])
            client.remove_course("bob", course, allow_missing=True)
        return "good"

    assert callers.at_once(bad, *[good] * 15) == ["bad", *["good"] * 15]


def test_a_server_without_batches_makes_none(url: URL) -> None:
    def threads() -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    with serving(url, limits=Limits(batch_size=1)):
        assert "deadlines" not in threads()
    with serving(url, limits=Limits(batch_size=2)):
        assert "deadlines" in threads()


def test_without_batches_the_answers_are_the_same(url: URL) -> None:
    insert_students_and_courses(url, *COURSES)
    with serving_process(EXECUTABLE, url, "--batch-size=1") as server, ExitStack() as stack:
        callers = Callers(server.address, stack)

        answers = callers.at_once(
            *[lambda client: client.associate_courses("ada", COURSES[:2])] * 16
        )
        removals = callers.at_once(
            *[lambda client: client.remove_course("ada", "c00", allow_missing=True)] * 16
        )

        for place in range(2):
            assert [answer[place].outcome for answer in answers].count(Outcome.CREATED) == 1
        assert removals.count(True) == 1
        assert [taken.course.id for taken in callers.one().list_student_courses("ada")] == ["c01"]


LOCKS = {
    "an association": "INSERT INTO student_courses VALUES ('s0', 'c00', now())",
    "a student": "SELECT FROM students WHERE id = 's0' FOR UPDATE",
    "a course": "DELETE FROM courses WHERE id = 'c00'",
}


@pytest.fixture
def students() -> list[str]:
    """More than there are threads, and than there are connections."""
    return [f"s{number}" for number in range(70)]


class LockedDatabase(NamedTuple):
    url: URL
    unlock: Callable[[], None]


@pytest.fixture
def locked(
    request: pytest.FixtureRequest, postgresql_databases: Databases, students: list[str]
) -> Iterator[LockedDatabase]:
    """A database of which another client has locked a row."""
    url = postgresql_databases.fresh()
    insert_students_and_courses(url, *COURSES)
    engine = backends.create_engine(url)
    Bulk(engine).upsert_students([(student, student, None) for student in students])
    Bulk(engine).associate([("s1", "c03")])
    with engine.connect() as connection:
        transaction = connection.begin()
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        for statement in request.param:
            connection.execute(text(statement))
        yield LockedDatabase(url, transaction.rollback)


@pytest.mark.parametrize(
    ("locked", "wanted"),
    [
        pytest.param([statement], "one course" if lock == "a course" else "one student", id=lock)
        for lock, statement in LOCKS.items()
    ],
    indirect=["locked"],
)
def test_a_row_that_is_locked_for_long_delays_only_those_who_want_it(
    locked: LockedDatabase, wanted: str, students: list[str]
) -> None:
    """However many they are."""
    wanting_students = students if wanted == "one course" else ["s0"] * len(students)
    flags = ["--threads", str(len(students) - 10), "--pool", "8"]
    with (
        serving_process(EXECUTABLE, locked.url, *flags) as server,
        EnrollmentClient(server.address, retry=None) as client,
        ThreadPoolExecutor(len(students)) as threads,
    ):

        def want(student: str) -> None:
            with pytest.raises(DeadlineExceeded):
                client.associate_courses(student, ["c00", "c02"], timeout=5)

        wanting = [threads.submit(want, student) for student in wanting_students]
        took = time_of_others(client, until=lambda: any(future.done() for future in wanting))
        for future in wanting:
            future.result(timeout=20)
        locked.unlock()
        client.associate_courses("s0", ["c00"])
    check_delays(took)


@pytest.mark.parametrize(
    "locked",
    [[LOCKS["an association"], "SELECT FROM student_courses WHERE student_id = 's1' FOR UPDATE"]],
    ids=["an association to make, and one to remove"],
    indirect=True,
)
def test_so_it_is_with_several_rows_and_few_connections(locked: LockedDatabase) -> None:
    with (
        serving_process(EXECUTABLE, locked.url, "--pool", "5") as server,
        EnrollmentClient(server.address, retry=None) as client,
        ThreadPoolExecutor(8) as threads,
    ):

        def want_to_associate() -> None:
            with pytest.raises(DeadlineExceeded):
                client.associate_courses("s0", ["c00"], timeout=3)

        def want_to_remove() -> None:
            with pytest.raises(DeadlineExceeded):
                client.remove_course("s1", "c03", timeout=3)

        wanting = [threads.submit(act) for act in [want_to_associate, want_to_remove] * 4]
        took = time_of_others(client, until=lambda: any(future.done() for future in wanting))
        for future in wanting:
            future.result(timeout=20)
    check_delays(took)


def time_of_others(client: EnrollmentClient, until: Callable[[], bool]) -> list[float]:
    """How long calls take that want nothing of what is locked, in seconds."""
    took = []
    while not until():
        start = time.monotonic()
        client.associate_courses("bob", ["c01", "c02"])
        client.remove_course("bob", "c01")
        list(client.list_student_courses("bob"))
        took.append(time.monotonic() - start)
    return took


def check_delays(took: Sequence[float]) -> None:
    """Some were delayed, once, by some tenths of a second."""
    assert max(took) < 1
    assert sorted(took)[-10] < 0.1


@pytest.mark.parametrize("locked", [[LOCKS["a student"]]], ids=["a student"], indirect=True)
def test_without_batches_who_wants_a_locked_row_is_told_that_nothing_was_done(
    locked: LockedDatabase,
) -> None:
    with (
        serving_process(EXECUTABLE, locked.url, "--batch-size", "1") as server,
        EnrollmentClient(server.address, retry=None) as client,
    ):
        for _ in range(5):
            with pytest.raises(DeadlineExceeded) as refusal:
                client.associate_courses("s0", ["c00"], timeout=0.6)
            assert refusal.value.reason == "DEADLINE_EXCEEDED"
