"""The thread that asks after the database goes on, whatever happens to it."""

import threading
from collections.abc import Iterator

import pytest

from enrollment_server.deadline import Deadline
from enrollment_server.ops import monitor
from enrollment_server.ops.monitor import Monitor
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "INTERVAL", 0.001)


class Database:
    """What is asked, and who is told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.told: list[bool] = []
        self.ticks = 0
        self.tick_error: Exception | None = None

    def ping(self, _deadline: Deadline) -> None:
        if self.error:
            raise self.error

    def tick(self) -> None:
        self.ticks += 1
        if self.tick_error:
            raise self.tick_error


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database()
    watching = Monitor(database.ping, database.told.append, database.tick)
    watching.start()
    yield database
    watching.stop()
    wait_until(lambda: "monitor" not in {thread.name for thread in threading.enumerate()})


def test_any_error_is_no_answer_and_an_answer_later_is_one(database: Database) -> None:
    database.error = RuntimeError("no such table")
    wait_until(lambda: database.told == [False])
    database.error = None
    wait_until(lambda: database.told == [False, True])


def test_it_outlives_a_defect(database: Database) -> None:
    database.tick_error = RuntimeError("a defect")
    ticks = database.ticks
    wait_until(lambda: database.ticks > ticks + 1)
    database.error = RuntimeError("gone")
    wait_until(lambda: database.told == [False])
