"""Calls that are made to hurt those that they are answered with."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from enrollment import CourseNotFound, DeadlineExceeded, EnrollmentClient, Unavailable
from tests.conformance.conftest import COURSES, EXECUTABLE, Callers
from tests.support.databases import Databases, blocked
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving_process


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


def test_a_row_that_is_locked_for_long_delays_only_those_who_want_it(
    postgresql_databases: Databases,
) -> None:
    url = postgresql_databases.fresh()
    insert_students_and_courses(url, *COURSES)
    with (
        serving_process(EXECUTABLE, url) as server,
        blocked(url, "ada", COURSES[0]),
        ThreadPoolExecutor(20) as threads,
        EnrollmentClient(server.address) as client,
    ):

        def want(number: int) -> bool:
            try:
                client.associate_courses("ada", COURSES[: 1 + number % 3], timeout=4)
            except (DeadlineExceeded, Unavailable):
                return True
            return False

        wanting = [threads.submit(want, number) for number in range(12)]
        slowest = 0.0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            start = time.monotonic()
            client.associate_courses("bob", COURSES)
            client.remove_course("bob", COURSES[1])
            slowest = max(slowest, time.monotonic() - start)

        assert all(future.result(timeout=20) for future in wanting)
    assert slowest < 2
