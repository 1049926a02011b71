"""Calls that are made to hurt those that they are answered with."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import URL, text

from enrollment import CourseNotFound, EnrollmentClient, EnrollmentError, Outcome
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


@pytest.mark.parametrize("lock", ["an association", "a student", "a course"])
def test_a_row_that_is_locked_for_long_delays_only_those_who_want_it(
    postgresql_databases: Databases, lock: str
) -> None:
    """However many they are: more than there are threads, and than there are connections."""
    url = postgresql_databases.fresh()
    insert_students_and_courses(url, *COURSES)
    engine = backends.create_engine(url)
    students = [f"s{number}" for number in range(70)]
    Bulk(engine).upsert_students([(student, student, None) for student in students])
    locking = {
        "an association": "INSERT INTO student_courses VALUES ('s0', 'c00', now())",
        "a student": "SELECT FROM students WHERE id = 's0' FOR UPDATE",
        "a course": "DELETE FROM courses WHERE id = 'c00'",
    }
    flags = ["--threads", str(len(students) - 10), "--pool", "8"]
    with (
        serving_process(EXECUTABLE, url, *flags) as server,
        engine.connect() as connection,
        ThreadPoolExecutor(len(students)) as threads,
        EnrollmentClient(server.address) as client,
    ):
        connection.execute(text("SET idle_in_transaction_session_timeout = 0"))
        connection.execute(text(locking[lock]))

        def want(student: str) -> EnrollmentError | None:
            """How it was refused, as it should be."""
            try:
                client.associate_courses(student, ["c00", "c02"], timeout=6)
            except EnrollmentError as error:
                return error
            return None

        wanting = [
            threads.submit(want, student if lock == "a course" else "s0") for student in students
        ]
        took = []
        while not any(future.done() for future in wanting):
            start = time.monotonic()
            client.associate_courses("bob", ["c01", "c02"])
            client.remove_course("bob", "c01")
            list(client.list_student_courses("bob"))
            took.append(time.monotonic() - start)

        assert all(future.result(timeout=20) for future in wanting)
        connection.rollback()
        client.associate_courses("s0", ["c00"])
    engine.dispose()
    assert len(took) > 100
    assert max(took) < 1
