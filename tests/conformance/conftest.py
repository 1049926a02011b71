"""A server in a process of its own, on every database, and callers that act at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

import pytest
from sqlalchemy import URL

from enrollment import EnrollmentClient
from tests.support.places import BIN
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving_process

Result = TypeVar("Result")

COURSES = [f"c{number:02}" for number in range(24)]


EXECUTABLE = BIN / "enrollment-server"


@pytest.fixture
def address(url: URL) -> Iterator[str]:
    insert_students_and_courses(url, *COURSES)
    with serving_process(EXECUTABLE, url) as server:
        yield server.address


@pytest.fixture
def another_address(url: URL, address: str) -> Iterator[str]:
    """A second server of the same database."""
    with serving_process(EXECUTABLE, url) as server:
        yield server.address


class Callers:
    """Clients that share nothing: each has a channel and a thread of its own."""

    def __init__(self, address: str, stack: ExitStack) -> None:
        self._address = address
        self._stack = stack
        self._clients: list[EnrollmentClient] = []

    def at_once(
        self, *actions: Callable[[EnrollmentClient], Result], timeout: float = 120
    ) -> list[Result]:
        """Run every action with a client of its own, all at once; returns their results."""
        while len(self._clients) < len(actions):
            client = EnrollmentClient(self._address, timeout=30, retry=None)
            self._clients.append(self._stack.enter_context(client))
        with ThreadPoolExecutor(len(actions)) as threads:
            futures = [
                threads.submit(action, client)
                for action, client in zip(actions, self._clients, strict=False)
            ]
            return [future.result(timeout) for future in futures]

    def one(self) -> EnrollmentClient:
        """A client of its own."""
        return self._stack.enter_context(EnrollmentClient(self._address, timeout=30, retry=None))


@pytest.fixture
def callers(address: str) -> Iterator[Callers]:
    with ExitStack() as stack:
        yield Callers(address, stack)
