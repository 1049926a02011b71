"""Callers that write all the time, and remember what was acknowledged."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from enrollment import EnrollmentClient, EnrollmentError
from tests.support.waiting import wait_until

STUDENT = "ada"
WRITERS = 8


class Writer:
    """Associates and removes courses of its own.

    A course is taken, not taken, or (None) in doubt: its last call got no answer.
    """

    def __init__(self, number: int, courses: Sequence[str]) -> None:
        self._random = random.Random(number)
        self.taken: dict[str, bool | None] = dict.fromkeys(courses, False)

    def write(self, client: EnrollmentClient) -> None:
        """Make one call; what it raises leaves its course in doubt."""
        course = self._random.choice(list(self.taken))
        before, self.taken[course] = self.taken[course], None
        if before is False:
            client.associate_courses(STUDENT, [course])
        else:
            client.remove_course(STUDENT, course, allow_missing=True)
        self.taken[course] = before is False


def writers(count: int, courses: Sequence[str]) -> list[Writer]:
    """So many, who share out the courses."""
    return [Writer(number, courses[number::count]) for number in range(count)]


def agree(client: EnrollmentClient, writers: Sequence[Writer]) -> None:
    """Fail unless the list has what was acknowledged; after this, nothing is in doubt."""
    listed = {taken.course.id for taken in client.list_student_courses(STUDENT)}
    for writer in writers:
        for course, taken in writer.taken.items():
            assert taken is None or taken == (course in listed), course
            writer.taken[course] = course in listed


class Load:
    """Writers that go on through everything, and what they were told.

    `client` gives each its client; they share out the courses.
    """

    def __init__(
        self,
        client: Callable[[], AbstractContextManager[EnrollmentClient]],
        courses: Sequence[str],
    ) -> None:
        self._client = client
        self._writers = writers(WRITERS, courses)
        self._acknowledged = dict.fromkeys(self._writers, 0)
        self._refused: list[EnrollmentError] = []
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(WRITERS) as threads:
            running = [threads.submit(self._write, writer) for writer in self._writers]
            try:
                yield
            finally:
                self._stop.set()
            for one in running:
                one.result()

    def _write(self, writer: Writer) -> None:
        with self._client() as client:
            while not self._stop.is_set():
                try:
                    writer.write(client)
                    self._acknowledged[writer] += 1
                except EnrollmentError as error:
                    self._refused.append(error)

    def goes_on(self, seconds: float = 10.0) -> None:
        """Return when everybody has had ten calls acknowledged."""
        enough = {writer: count + 10 for writer, count in self._acknowledged.items()}
        wait_until(lambda: all(self._acknowledged[w] >= enough[w] for w in self._writers), seconds)

    @property
    def refused(self) -> bool:
        """Whether anybody was."""
        return bool(self._refused)

    def take_refused(self) -> list[EnrollmentError]:
        """The refusals since the last look."""
        refused, self._refused = self._refused, []
        return refused

    def check_acknowledged(self, client: EnrollmentClient) -> None:
        """Fail unless what was acknowledged is there."""
        agree(client, self._writers)
