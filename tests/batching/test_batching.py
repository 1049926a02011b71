"""Requests that wait are answered together, and each as it would have been alone."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from enrollment_server import batching
from enrollment_server.batching import Batcher
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import Conflict, DatabaseUnavailable
from tests.support.waiting import wait_until

PATIENT = 30.0  # seconds: in these tests nothing is late unless it is to be


class Work:
    """What is done for requests, which are texts: it answers in capitals, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gates: dict[str, threading.Event] = {}
        self.errors: dict[str, Callable[[int], Exception | None]] = {}

    def hold(self, request: str) -> threading.Event:
        """Have what this request is in wait until the event is set."""
        return self.gates.setdefault(request, threading.Event())

    def __call__(self, requests: Sequence[str], deadline: Deadline) -> list[str]:
        self.batches.append(list(requests))
        for request in requests:
            if request in self.gates:
                while not self.gates[request].wait(0.001):
                    if deadline.over:
                        raise Conflict
            if request in self.errors and (error := self.errors[request](len(requests))):
                raise error
        return [request.upper() for request in requests]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "PATIENCE", PATIENT)
    monkeypatch.setattr(batching, "TICK", 0.005)


def batcher_of(work: Any, size: int = 100, *, patient: bool = False) -> Batcher[str, str]:
    return Batcher(
        work, key=lambda request: request[0], size=size, patient=patient, took=lambda _size: None
    )


@pytest.fixture
def batcher(work: Work) -> Batcher[str, str]:
    return batcher_of(work)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


Answering = Callable[..., "list[Future[str]]"]


@pytest.fixture
def answering(threads: ThreadPoolExecutor, batcher: Batcher[str, str], work: Work) -> Answering:
    """Has one request worked on, and the others wait behind it."""

    def answer(first: str, *others: str, deadline: Deadline = NEVER) -> "list[Future[str]]":
        futures = [threads.submit(batcher.answer, first, NEVER)]
        wait_until(lambda: work.batches == [[first]])
        for count, request in enumerate(others, 1):
            futures.append(threads.submit(batcher.answer, request, deadline))
            wait_until(lambda count=count: len(batcher._waiting) == count)  # type: ignore[misc]
        return futures

    return answer


def results(futures: "list[Future[str]]") -> list[str]:
    return [future.result(timeout=10) for future in futures]


def test_a_request_alone_goes_at_once(batcher: Batcher[str, str], work: Work) -> None:
    assert batcher.answer("a", NEVER) == "A"
    assert batcher.answer("b", NEVER) == "B"
    assert work.batches == [["a"], ["b"]]


def test_those_that_wait_are_answered_together(work: Work, answering: Answering) -> None:
    gate = work.hold("a")
    futures = answering("a", "b", "c", "b", "d")

    gate.set()

    assert results(futures) == ["A", "B", "C", "B", "D"]
    assert work.batches == [["a"], ["b", "c", "b", "d"]]


def test_a_batch_has_a_greatest_size(work: Work, threads: ThreadPoolExecutor) -> None:
    batcher = batcher_of(work, size=2)
    gate = work.hold("a")
    futures = [threads.submit(batcher.answer, "a", NEVER)]
    wait_until(lambda: work.batches == [["a"]])
    for count, request in enumerate("bcd", 1):
        futures.append(threads.submit(batcher.answer, request, NEVER))
        wait_until(lambda count=count: len(batcher._waiting) == count)  # type: ignore[misc]

    gate.set()

    assert results(futures) == ["A", "B", "C", "D"]
    assert work.batches == [["a"], ["b", "c"], ["d"]]


@pytest.mark.parametrize("error", [Conflict(), RuntimeError("a defect")])
def test_one_that_fails_fails_alone(work: Work, answering: Answering, error: Exception) -> None:
    work.errors["c"] = lambda _size: error
    gate = work.hold("a")
    futures = answering("a", "b", "c", "d")

    gate.set()

    assert futures[2].exception(timeout=10) is error
    assert results([futures[0], futures[1], futures[3]]) == ["A", "B", "D"]


def test_one_that_fails_in_company_only_is_answered_alone(work: Work, answering: Answering) -> None:
    work.errors["c"] = lambda size: Conflict() if size > 1 else None
    gate = work.hold("a")
    futures = answering("a", "b", "c")

    gate.set()

    assert results(futures) == ["A", "B", "C"]


def test_what_is_not_available_is_so_for_all_and_is_not_tried_again(
    work: Work, answering: Answering
) -> None:
    work.errors["c"] = lambda _size: DatabaseUnavailable()
    gate = work.hold("a")
    futures = answering("a", "b", "c")

    gate.set()

    assert isinstance(futures[1].exception(timeout=10), DatabaseUnavailable)
    assert isinstance(futures[2].exception(timeout=10), DatabaseUnavailable)
    assert work.batches == [["a"], ["b", "c"]]


def test_who_waits_for_too_long_is_told_so_and_is_in_no_batch(
    work: Work, answering: Answering
) -> None:
    gate = work.hold("a")
    futures = answering("a", "b", deadline=Deadline(0.05))

    assert isinstance(futures[1].exception(timeout=10), DatabaseUnavailable)
    gate.set()
    assert results(futures[:1]) == ["A"]
    assert work.batches == [["a"]]


class TestLate:
    """What takes long delays others only so long."""

    @pytest.fixture(autouse=True)
    def patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batching, "PATIENCE", 0.05)
        monkeypatch.setattr(batching, "TICK", 0.005)

    def test_another_batch_begins_beside_it(self, work: Work, answering: Answering) -> None:
        gate = work.hold("a")
        futures = answering("a", "b", "c")

        assert results(futures[1:]) == ["B", "C"]
        assert not futures[0].done()
        gate.set()
        assert results(futures) == ["A", "B", "C"]

    def test_its_key_keeps_out_of_other_batches(
        self, work: Work, answering: Answering, batcher: Batcher[str, str]
    ) -> None:
        gate = work.hold("a1")
        work.gates["a2"] = gate
        futures = answering("a1", "a2", "b1", "c1")

        assert results(futures[2:]) == ["B1", "C1"]
        assert batcher.answer("d1", NEVER) == "D1"
        gate.set()
        assert results(futures) == ["A1", "A2", "B1", "C1"]
        assert ["a2"] in work.batches

    def test_a_batch_that_waits_for_others_is_taken_apart(
        self, work: Work, answering: Answering, batcher: Batcher[str, str]
    ) -> None:
        first = work.hold("a")
        futures = answering("a", "b", "c", "d")
        locked = work.hold("c")
        first.set()

        assert results([futures[1], futures[3]]) == ["B", "D"]
        assert not futures[2].done()
        assert batcher.answer("e", NEVER) == "E"  # and nobody else is delayed again
        locked.set()
        assert results(futures) == ["A", "B", "C", "D"]
        assert not batcher._lines


def test_everybody_is_answered_whatever_happens(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty threads, random failures, random patience."""
    monkeypatch.setattr(batching, "PATIENCE", 0.002)
    monkeypatch.setattr(batching, "TICK", 0.001)
    failing = (Conflict, DatabaseUnavailable, RuntimeError)

    def work(requests: Sequence[str], deadline: Deadline) -> list[str]:
        threading.Event().wait(random.choice([0, 0, 0, 0.001, 0.01]))
        if random.random() < 0.2:
            raise random.choice(failing)()
        return [request.upper() for request in requests]

    batcher = batcher_of(work)

    def call(number: int) -> bool:
        request = f"{'abcdefghij'[number % 10]}{number}"
        try:
            return (
                batcher.answer(request, Deadline(random.choice([0.001, 1, 1]))) == request.upper()
            )
        except failing:
            return True

    assert all(threads.map(call, range(4000), timeout=60))
    assert (batcher._batch, list(batcher._waiting), batcher._lines) == (None, [], {})
