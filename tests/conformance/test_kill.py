"""The server is killed with -9 under write load: what it acknowledged is there afterwards."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Semaphore

import pytest
from sqlalchemy import URL

from enrollment import EnrollmentClient, EnrollmentError
from tests.conformance.conftest import COURSES, EXECUTABLE
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving_process

WRITERS = 4


class Writer:
    """Associates and removes courses of its own, and remembers what was acknowledged.

    A course is taken, not taken, or (None) in doubt: its last call got no answer.
    """

    def __init__(self, number: int, acknowledged: Semaphore) -> None:
        self._random = random.Random(number)
        self._acknowledged = acknowledged
        self.taken: dict[str, bool | None] = dict.fromkeys(COURSES[number::WRITERS], False)

    def write_until_the_server_dies(self, client: EnrollmentClient) -> None:
        while True:
            course = self._random.choice(list(self.taken))
            before, self.taken[course] = self.taken[course], None
            try:
                if before is False:
                    client.associate_courses("ada", [course])
                else:
                    client.remove_course("ada", course, allow_missing=True)
            except EnrollmentError:
                return
            self.taken[course] = before is False
            self._acknowledged.release()


@pytest.fixture
def rounds(soak: bool) -> int:
    return 50 if soak else 3


def test_nothing_acknowledged_is_lost(url: URL, rounds: int) -> None:
    insert_students_and_courses(url, *COURSES)
    acknowledged = Semaphore(0)
    writers = [Writer(number, acknowledged) for number in range(WRITERS)]
    randomness = random.Random(0)

    for _ in range(rounds):
        with (
            ExitStack() as clients,
            ThreadPoolExecutor(WRITERS) as threads,
            serving_process(EXECUTABLE, url) as server,  # which kills it
        ):
            for writer in writers:
                client = EnrollmentClient(server.address, timeout=5, retry=None)
                clients.enter_context(client)
                threads.submit(writer.write_until_the_server_dies, client)
            for _ in range(randomness.randint(20, 200)):
                assert acknowledged.acquire(timeout=10)

        with (
            serving_process(EXECUTABLE, url) as server,
            EnrollmentClient(server.address) as client,
        ):
            listed = {taken.course.id for taken in client.list_student_courses("ada")}
        for writer in writers:
            for course, taken in writer.taken.items():
                assert taken is None or taken == (course in listed), course
                writer.taken[course] = course in listed
