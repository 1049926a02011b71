"""Deadlines are kept while a batch is worked on, from the start to the stop."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from enrollment_server.coroutines import wait
from enrollment_server.db.batched import Batched
from enrollment_server.db.enrollments import (
    AssociateRequest,
    Enrollments,
    PageRequest,
    RemoveRequest,
)
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import DatabaseUnavailable
from enrollment_server.metrics import Metrics
from enrollment_server.rpc.admission import CallThreads
from tests.support.waiting import wait_until

REQUESTS: dict[str, Any] = {
    "page": PageRequest("ada", "", 10),
    "associate": AssociateRequest("ada", ("chess",)),
    "remove": RemoveRequest("ada", "chess"),
}


class Held:
    """A table that does not answer until it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.let = threading.Event()

    def list_pages(self, requests: Sequence[Any], _deadline: Deadline, **_: Any) -> list[None]:
        self.asked.set()
        assert self.let.wait(60)
        return [None] * len(requests)

    associate = remove = list_pages


@pytest.fixture
def table() -> Held:
    return Held()


@pytest.fixture
def batched(table: Held) -> Iterator[Batched]:
    threads = CallThreads(1)
    batched = Batched(cast(Enrollments, table), threads, 10, Metrics())
    batched.start()
    yield batched
    batched.stop()
    threads.stop()


@pytest.mark.parametrize("kind", ["page", "associate", "remove"])
def test_who_has_no_more_time_waits_no_longer(batched: Batched, table: Held, kind: str) -> None:
    answer = getattr(batched, kind)
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(wait, answer(REQUESTS[kind], NEVER))
        assert table.asked.wait(10)

        second = callers.submit(wait, answer(REQUESTS[kind], Deadline(0.01)))

        assert isinstance(second.exception(5), DatabaseUnavailable)
        assert not first.done()
        table.let.set()
        assert first.result(10) is None


def test_nobody_looks_when_it_has_stopped(batched: Batched) -> None:
    def looks() -> bool:
        return "deadlines" in [thread.name for thread in threading.enumerate()]

    assert looks()
    batched.stop()
    wait_until(lambda: not looks())
