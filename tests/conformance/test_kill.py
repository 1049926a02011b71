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
from tests.support.writing import Writer, agree, writers

WRITERS = 4


@pytest.fixture
def rounds(soak: bool) -> int:
    return 50 if soak else 3


def test_nothing_acknowledged_is_lost(url: URL, rounds: int) -> None:
    insert_students_and_courses(url, *COURSES)
    acknowledged = Semaphore(0)
    everyone = writers(WRITERS, COURSES)
    randomness = random.Random(0)

    def write_until_the_server_dies(writer: Writer, client: EnrollmentClient) -> None:
        while True:
            try:
                writer.write(client)
            except EnrollmentError:
                return
            acknowledged.release()

    for _ in range(rounds):
        with (
            ExitStack() as clients,
            ThreadPoolExecutor(WRITERS) as threads,
            serving_process(EXECUTABLE, url) as server,  # which kills it
        ):
            for writer in everyone:
                client = EnrollmentClient(server.address, timeout=5, retry=None)
                clients.enter_context(client)
                threads.submit(write_until_the_server_dies, writer, client)
            for _ in range(randomness.randint(20, 200)):
                assert acknowledged.acquire(timeout=10)

        with (
            serving_process(EXECUTABLE, url) as server,
            EnrollmentClient(server.address) as client,
        ):
            agree(client, everyone)
