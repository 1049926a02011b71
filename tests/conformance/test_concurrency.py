"""Many callers at once: nothing lost, nothing doubled."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from enrollment import CourseNotFound, EnrollmentClient, Outcome, StudentNotFound
from tests.conformance.conftest import COURSES, Callers
from tests.support.places import ROOT


class TestAssociate:
    def test_of_identical_calls_one_creates(self, callers: Callers) -> None:
        answers = callers.at_once(
            *[lambda client: client.associate_courses("ada", COURSES[:10])] * 32
        )

        for place in range(10):
            outcomes = Counter(answer[place].outcome for answer in answers)
            assert outcomes == {Outcome.CREATED: 1, Outcome.ALREADY_ASSOCIATED: 31}
            assert len({answer[place].create_time for answer in answers}) == 1
        listed = [taken.course.id for taken in callers.one().list_student_courses("ada")]
        assert listed == COURSES[:10]

    def test_of_identical_calls_from_several_processes_one_creates(self, address: str) -> None:
        command = [sys.executable, "-m", "tests.support.caller", address, "8", *COURSES[:10]]
        with ExitStack() as stack:
            processes = [
                stack.enter_context(
                    subprocess.Popen(
                        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                    )
                )
                for _ in range(4)
            ]
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
            answers = [
                answer
                for process in processes
                for answer in json.loads(process.communicate(timeout=60)[0])
            ]

        for place in range(10):
            outcomes = Counter(answer[place][0] for answer in answers)
            assert outcomes == {"CREATED": 1, "ALREADY_ASSOCIATED": 31}
            assert len({answer[place][1] for answer in answers}) == 1

    def test_in_opposite_orders_never_fails(self, callers: Callers, seconds: float) -> None:
        stop = time.monotonic() + seconds

        def associate(seed: int) -> Callable[[EnrollmentClient], int]:
            randomness = random.Random(seed)

            def again_and_again(client: EnrollmentClient) -> int:
                calls = 0
                while time.monotonic() < stop:
                    some = randomness.sample(COURSES, 8)
                    client.associate_courses("ada", some if seed % 2 else some[::-1])
                    for course in randomness.sample(COURSES, 4):
                        client.remove_course("ada", course, allow_missing=True)
                    calls += 5
                return calls

            return again_and_again

        calls = callers.at_once(*(associate(seed) for seed in range(8)), timeout=seconds + 60)

        assert all(calls)  # and no call raised

    @pytest.mark.parametrize("course", COURSES[:8])
    def test_while_its_course_is_deleted_answers_as_some_order_would(
        self, callers: Callers, engine: Engine, course: str
    ) -> None:
        def delete(_: EnrollmentClient) -> str:
            try:
                with engine.begin() as connection:
                    statement = text("DELETE FROM courses WHERE id = :id")
                    connection.execute(statement, {"id": course})
            except IntegrityError:
                return "refused: it is taken"
            return "deleted"

        def associate(client: EnrollmentClient) -> str:
            try:
                client.associate_courses("ada", ["chess", course])
            except CourseNotFound as error:
                return f"refused: no course {','.join(error.course_ids)}"
            return "associated"

        answers = callers.at_once(delete, associate)
        listed = [taken.course.id for taken in callers.one().list_student_courses("ada")]

        assert (answers, listed) in (
            (["deleted", f"refused: no course {course}"], []),
            (["refused: it is taken", "associated"], sorted([course, "chess"])),
        )

    @pytest.mark.parametrize("ending", ["commit", "rollback"])
    def test_waits_for_who_is_about_to_delete_its_course(
        self, callers: Callers, engine: Engine, ending: str
    ) -> None:
        client = callers.one()
        with engine.connect() as connection, ThreadPoolExecutor(1) as thread:
            transaction = connection.begin()
            connection.execute(text("DELETE FROM courses WHERE id = 'c00'"))

            call = thread.submit(client.associate_courses, "ada", ["c00", "c01"])

            with pytest.raises(TimeoutError):
                call.result(timeout=0.3)
            getattr(transaction, ending)()
            error = call.exception(timeout=10)
        listed = [taken.course.id for taken in client.list_student_courses("ada")]
        if ending == "commit":
            assert isinstance(error, CourseNotFound)
            assert (error.course_ids, listed) == (("c00",), [])
        else:
            assert (error, listed) == (None, ["c00", "c01"])


class TestList:
    def test_in_small_pages_shows_what_stays_exactly_once(
        self, callers: Callers, seconds: float
    ) -> None:
        staying, coming_and_going = COURSES[::2], COURSES[1::2]
        callers.one().associate_courses("ada", staying)
        stop = time.monotonic() + seconds

        def change(client: EnrollmentClient) -> int:
            randomness = random.Random(0)
            changes = 0
            while time.monotonic() < stop:
                client.associate_courses("ada", randomness.sample(coming_and_going, 4))
                for course in randomness.sample(coming_and_going, 4):
                    client.remove_course("ada", course, allow_missing=True)
                changes += 1
            return changes

        def walk(client: EnrollmentClient) -> int:
            walks = 0
            while time.monotonic() < stop:
                listed = [t.course.id for t in client.list_student_courses("ada", page_size=3)]
                assert listed == sorted(set(listed))
                assert set(staying) <= set(listed)
                walks += 1
            return walks

        assert all(callers.at_once(change, change, walk, walk, timeout=seconds + 60))


def test_an_unknown_student_is_unknown_to_all(callers: Callers) -> None:
    def associate(client: EnrollmentClient) -> None:
        with pytest.raises(StudentNotFound):
            client.associate_courses("eve", ["chess"])

    callers.at_once(*[associate] * 8)
