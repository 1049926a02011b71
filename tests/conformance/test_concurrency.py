"""Many callers at once: nothing lost, nothing doubled, and every answer has an order."""

import itertools
import json
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from enrollment import CourseNotFound, EnrollmentClient, Outcome, StudentNotFound
from tests.conformance.conftest import COURSES, Callers
from tests.support.linearizability import (
    Answer,
    Associated,
    Call,
    Listed,
    Removed,
    linearizable,
)
from tests.support.places import ROOT


def nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


@pytest.fixture
def seconds(soak: bool) -> float:
    """How long callers go on."""
    return 120.0 if soak else 3.0


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


class Recorder:
    """Makes random calls about some students, and writes down what came of each."""

    def __init__(self, students: list[str], courses: list[str], seed: int, calls: int) -> None:
        self._students = students
        self._courses = courses
        self._random = random.Random(seed)
        self._calls = calls

    def __call__(self, client: EnrollmentClient) -> list[tuple[str, Call]]:
        history = []
        for _ in range(self._calls):
            student = self._random.choice(self._students)
            acts: list[Callable[[EnrollmentClient, str], Answer]]
            acts = [self._associate, self._remove, self._list]
            act = self._random.choice(acts)
            start = time.monotonic_ns()
            answer = act(client, student)
            history.append((student, Call(start, time.monotonic_ns(), answer)))
        return history

    def _associate(self, client: EnrollmentClient, student: str) -> Associated:
        some = self._random.sample(self._courses, self._random.randint(1, 3))
        return Associated(
            tuple(
                (a.course_id, a.outcome is Outcome.CREATED, nanoseconds(a.create_time))
                for a in client.associate_courses(student, some)
            )
        )

    def _remove(self, client: EnrollmentClient, student: str) -> Removed:
        course = self._random.choice(self._courses)
        return Removed(course, client.remove_course(student, course, allow_missing=True))

    def _list(self, client: EnrollmentClient, student: str) -> Listed:
        taken = client.list_student_courses(student)
        return Listed(tuple((t.course.id, nanoseconds(t.create_time)) for t in taken))


def assert_linearizable(histories: list[list[tuple[str, Call]]]) -> None:
    by_student = defaultdict(list)
    for history in histories:
        for student, call in history:
            by_student[student].append(call)
    for calls in by_student.values():
        assert len(calls) > 200
        assert linearizable(calls)


def test_every_history_is_linearizable(callers: Callers, seconds: float) -> None:
    stop = time.monotonic() + seconds
    one = callers.one()
    for seed in itertools.count(step=100):
        recorders = [Recorder(["ada", "bob"], COURSES[:4], seed + n, calls=80) for n in range(8)]
        assert_linearizable(callers.at_once(*recorders))
        if time.monotonic() > stop:
            break
        for student in ("ada", "bob"):
            for taken in one.list_student_courses(student):
                one.remove_course(student, taken.course.id)


def test_every_history_of_two_servers_is_linearizable(
    callers: Callers, another_address: str
) -> None:
    def elsewhere(recorder: Recorder) -> Callable[[EnrollmentClient], list[tuple[str, Call]]]:
        def record(_: EnrollmentClient) -> list[tuple[str, Call]]:
            with EnrollmentClient(another_address, timeout=30, retry=None) as client:
                return recorder(client)

        return record

    recorders = [Recorder(["ada", "bob"], COURSES[:4], seed, calls=80) for seed in range(8)]

    assert_linearizable(callers.at_once(*recorders[::2], *map(elsewhere, recorders[1::2])))


def test_an_unknown_student_is_unknown_to_all(callers: Callers) -> None:
    def associate(client: EnrollmentClient) -> None:
        with pytest.raises(StudentNotFound):
            client.associate_courses("eve", ["chess"])

    callers.at_once(*[associate] * 8)
