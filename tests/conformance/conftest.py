"""A server in a process of its own, on every database, and callers that act at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

import pytest
from sqlalchemy import URL

from enrollment import EnrollmentClient
from tests.support.databases import PostgreSQLDatabases
from tests.support.places import BIN
from tests.support.postgresql import PostgreSQLServer, postgresql_server
from tests.support.proxy import Proxy, proxy
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


@pytest.fixture
def seconds(soak: bool) -> float:
    """How long callers go on."""
    return 120.0 if soak else 3.0


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A server that nobody else needs."""
    with postgresql_server() as server:
        yield server


@pytest.fixture
def wire(postgresql: PostgreSQLServer) -> Iterator[Proxy]:
    """What is between our server and that PostgreSQL."""
    with proxy(postgresql.socket) as running:
        yield running


@pytest.fixture(scope="module")
def databases_of_its_own(postgresql: PostgreSQLServer) -> PostgreSQLDatabases:
    return PostgreSQLDatabases(postgresql.url)


@pytest.fixture
def wired_address(databases_of_its_own: PostgreSQLDatabases, wire: Proxy) -> Iterator[str]:
    """Where a server of ours is that has its database at the end of that wire."""
    database = databases_of_its_own.fresh()
    insert_students_and_courses(database, *COURSES)
    url = database.set(host="127.0.0.1", port=wire.port, query={})
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
