"""Random calls at once, written down: every answer has an order, whatever goes wrong meanwhile."""

import itertools
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from threading import Event

import pytest
from sqlalchemy import URL

from enrollment import DeadlineExceeded, EnrollmentClient, Outcome, Unavailable
from tests.conformance.conftest import COURSES, EXECUTABLE, Callers
from tests.support.linearizability import (
    NEVER,
    Answer,
    Associated,
    Call,
    Listed,
    MaybeAssociated,
    MaybeRemoved,
    Removed,
    linearizable,
)
from tests.support.postgresql import PostgreSQLServer
from tests.support.proxy import Proxy
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving_process
from tests.support.waiting import wait_until

STUDENTS = ["ada", "bob"]


def nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def associate(client: EnrollmentClient, student: str, courses: Sequence[str]) -> Associated:
    return Associated(
        tuple(
            (a.course_id, a.outcome is Outcome.CREATED, nanoseconds(a.create_time))
            for a in client.associate_courses(student, courses)
        )
    )


def remove(client: EnrollmentClient, student: str, course: str) -> Removed:
    return Removed(course, client.remove_course(student, course, allow_missing=True))


def list_courses(client: EnrollmentClient, student: str) -> Listed:
    taken = client.list_student_courses(student)
    return Listed(tuple((t.course.id, nanoseconds(t.create_time)) for t in taken))


class Recorder:
    """Makes random calls, and writes down what came of each."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.history: list[tuple[str, Call]] = []

    def record(self, client: EnrollmentClient, calls: int) -> None:
        """Make so many calls; all are answered."""
        for _ in range(calls):
            assert self._call(client)

    def record_until(self, client: EnrollmentClient, ended: Event) -> None:
        """Call until that is over, or a call is not answered."""
        while not ended.is_set() and self._call(client):
            pass

    def _call(self, client: EnrollmentClient) -> bool:
        student = self._random.choice(STUDENTS)
        some = tuple(self._random.sample(COURSES[:4], self._random.randint(1, 3)))
        acts: list[tuple[Callable[[], Answer], Answer | None]] = [
            (lambda: associate(client, student, some), MaybeAssociated(tuple(sorted(some)))),
            (lambda: remove(client, student, some[0]), MaybeRemoved(some[0])),
            (lambda: list_courses(client, student), None),
        ]
        ask, unanswered = self._random.choice(acts)
        start = time.monotonic_ns()
        try:
            answer = ask()
        except (Unavailable, DeadlineExceeded) as error:
            # The server's own DEADLINE_EXCEEDED has a reason: nothing was done.
            if unanswered and error.reason != "DEADLINE_EXCEEDED":
                self.history.append((student, Call(start, NEVER, unanswered)))
            return False
        self.history.append((student, Call(start, time.monotonic_ns(), answer)))
        return True


def assert_linearizable(recorders: Sequence[Recorder]) -> None:
    by_student = defaultdict(list)
    for student, call in itertools.chain(*(recorder.history for recorder in recorders)):
        by_student[student].append(call)
    for student in STUDENTS:
        assert len(by_student[student]) > 200
        assert linearizable(by_student[student])


@pytest.fixture
def recorders() -> list[Recorder]:
    return [Recorder(seed) for seed in range(8)]


def test_of_one_server(callers: Callers, seconds: float) -> None:
    stop = time.monotonic() + seconds
    one = callers.one()
    for seed in itertools.count(step=100):
        recorders = [Recorder(seed + number) for number in range(8)]
        callers.at_once(*[partial(recorder.record, calls=80) for recorder in recorders])
        assert_linearizable(recorders)
        if time.monotonic() > stop:
            break
        for student in STUDENTS:
            for taken in one.list_student_courses(student):
                one.remove_course(student, taken.course.id)


def test_of_two_servers(
    callers: Callers, another_address: str, recorders: Sequence[Recorder]
) -> None:
    def elsewhere(recorder: Recorder) -> Callable[[EnrollmentClient], None]:
        def record(_: EnrollmentClient) -> None:
            with EnrollmentClient(another_address, timeout=30, retry=None) as client:
                recorder.record(client, calls=80)

        return record

    here = [partial(recorder.record, calls=80) for recorder in recorders[::2]]
    callers.at_once(*here, *map(elsewhere, recorders[1::2]))

    assert_linearizable(recorders)


def disturb(recorders: Sequence[Recorder], address: str, act: Callable[[], object]) -> None:
    """Do this while everybody calls, until it is done, or until a call is not answered."""
    ended = Event()
    enough = {recorder: len(recorder.history) + 30 for recorder in recorders}
    with ExitStack() as clients, ThreadPoolExecutor(len(recorders)) as threads:
        recording = []
        for recorder in recorders:
            client = EnrollmentClient(address, timeout=2, retry=None)
            clients.enter_context(client)
            recording.append(threads.submit(recorder.record_until, client, ended))
        try:
            wait_until(lambda: all(len(r.history) >= enough[r] for r in recorders))
            act()
        finally:
            ended.set()
    for one in recording:
        one.result()


def test_of_servers_that_are_killed(url: URL, recorders: Sequence[Recorder], soak: bool) -> None:
    insert_students_and_courses(url, *COURSES)
    for _ in range(20 if soak else 3):
        with serving_process(EXECUTABLE, url) as server:
            disturb(recorders, server.address, server.process.kill)
    with serving_process(EXECUTABLE, url) as server, EnrollmentClient(server.address) as client:
        recorders[0].record(client, calls=20)

    assert any(call.end == NEVER for recorder in recorders for _, call in recorder.history)
    assert_linearizable(recorders)


@pytest.mark.parametrize(
    ("fault", "times", "times_in_soak"), [("its connections reset", 10, 200), ("killed", 3, 20)]
)
def test_while_postgresql_is(
    fault: str,
    times: int,
    times_in_soak: int,
    wired_address: str,
    wire: Proxy,
    postgresql: PostgreSQLServer,
    recorders: Sequence[Recorder],
    soak: bool,
) -> None:
    def kill_and_start() -> None:
        postgresql.kill()
        postgresql.start()

    act = kill_and_start if fault == "killed" else wire.reset

    def answers(client: EnrollmentClient) -> bool:
        try:
            return bool(list_courses(client, STUDENTS[0]))
        except Unavailable:
            return False

    with EnrollmentClient(wired_address, retry=None) as client:
        for _ in range(times_in_soak if soak else times):
            disturb(recorders, wired_address, act)
            wait_until(lambda: answers(client))
        recorders[0].record(client, calls=20)

    assert_linearizable(recorders)
