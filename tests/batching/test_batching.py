"""Requests that wait are answered together, and each as it would have been alone."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from enrollment_server import batching
from enrollment_server.batching import Batcher
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import Conflict, DatabaseUnavailable
from tests.support.waiting import wait_until


class Work:
    """What is done for requests, which are texts: it answers in capitals, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.alone: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.locked: dict[str, threading.Event] = {}
        self.errors: dict[str, Exception] = {}

    def hold(self, request: str) -> threading.Event:
        """Have what this request is in wait until the event is set."""
        return self.gates.setdefault(request, threading.Event())

    def lock(self, request: str) -> threading.Event:
        """Put something in the way of this request until the event is set."""
        return self.locked.setdefault(request, threading.Event())

    def together(self, requests: Sequence[str], _deadline: Deadline) -> list[str]:
        self.batches.append(list(requests))
        for request in requests:
            if request in self.gates:
                assert self.gates[request].wait(10)
            if request in self.locked and not self.locked[request].is_set():
                raise Conflict
            if request in self.errors:
                raise self.errors[request]
        return [request.upper() for request in requests]

    def by_itself(self, requests: Sequence[str], deadline: Deadline) -> list[str]:
        [request] = requests
        self.alone.append(request)
        while request in self.locked and not self.locked[request].wait(0.001):
            if deadline.over:
                raise Conflict
        if request in self.errors:
            raise self.errors[request]
        return [request.upper()]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "TICK", 0.005)


def batcher_of(work: Work, size: int = 100) -> Batcher[str, str]:
    return Batcher(
        work.together,
        work.by_itself,
        keys=lambda request: request[0],
        size=size,
        took=lambda _size: None,
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
    work.errors["c"] = error
    gate = work.hold("a")
    futures = answering("a", "b", "c", "d")

    gate.set()

    assert futures[2].exception(timeout=10) is error
    assert results([futures[0], futures[1], futures[3]]) == ["A", "B", "D"]


def test_what_is_not_available_is_so_for_all_and_is_not_tried_again(
    work: Work, answering: Answering
) -> None:
    work.errors["c"] = DatabaseUnavailable()
    gate = work.hold("a")
    futures = answering("a", "b", "c")

    gate.set()

    assert isinstance(futures[1].exception(timeout=10), DatabaseUnavailable)
    assert isinstance(futures[2].exception(timeout=10), DatabaseUnavailable)
    assert work.batches == [["a"], ["b", "c"]]
    assert work.alone == []


def test_who_waits_for_too_long_is_told_so_and_is_in_no_batch(
    work: Work, answering: Answering
) -> None:
    gate = work.hold("a")
    futures = answering("a", "b", deadline=Deadline(0.05))

    assert isinstance(futures[1].exception(timeout=10), DatabaseUnavailable)
    gate.set()
    assert results(futures[:1]) == ["A"]
    assert work.batches == [["a"]]


def test_who_leaves_a_batch_is_told_so_and_the_others_are_answered(
    work: Work, threads: ThreadPoolExecutor, batcher: Batcher[str, str], answering: Answering
) -> None:
    first, second = work.hold("a"), work.hold("b")
    futures = answering("a", "b")
    leaving = threads.submit(batcher.answer, "c", Deadline(0.3))
    wait_until(lambda: len(batcher._waiting) == 2)
    first.set()
    wait_until(lambda: work.batches == [["a"], ["b", "c"]])

    assert isinstance(leaving.exception(timeout=10), DatabaseUnavailable)
    second.set()
    assert results(futures) == ["A", "B"]


def test_one_whose_thread_fails_while_it_waits_keeps_nobody(
    work: Work, threads: ThreadPoolExecutor, batcher: Batcher[str, str], answering: Answering
) -> None:
    class Failing(Deadline):
        @property
        def over(self) -> bool:
            raise MemoryError

    gate = work.hold("a")
    futures = answering("a")
    failing = threads.submit(batcher.answer, "b", Failing(10))
    assert isinstance(failing.exception(timeout=10), MemoryError)
    futures.append(threads.submit(batcher.answer, "c", NEVER))
    gate.set()

    assert results(futures) == ["A", "C"]
    assert work.batches == [["a"], ["c"]]


class TestApart:
    """What is in the way of some delays the others once."""

    def test_what_is_in_the_way_is_waited_for_alone(
        self, work: Work, answering: Answering, batcher: Batcher[str, str]
    ) -> None:
        gate = work.hold("a")
        locked = work.lock("c")
        futures = answering("a", "b", "c", "d")
        gate.set()

        assert results([futures[0], futures[1], futures[3]]) == ["A", "B", "D"]
        assert batcher.answer("e", NEVER) == "E"
        assert not futures[2].done()
        locked.set()
        assert results(futures) == ["A", "B", "C", "D"]
        assert batcher._apart == {}

    @pytest.fixture
    def blocked(
        self, work: Work, threads: ThreadPoolExecutor, batcher: Batcher[str, str]
    ) -> "Future[str]":
        """A request that something is in the way of."""
        work.lock("c1")
        blocked = threads.submit(batcher.answer, "c1", NEVER)
        wait_until(lambda: work.alone == ["c1"])
        return blocked

    def test_what_has_to_do_with_it_keeps_out_of_batches(
        self, work: Work, blocked: "Future[str]", batcher: Batcher[str, str]
    ) -> None:
        assert batcher.answer("c2", NEVER) == "C2"
        assert work.batches == [["c1"]]
        assert work.alone == ["c1", "c2"]
        work.locked["c1"].set()
        assert blocked.result(timeout=10) == "C1"

    def test_it_does_so_no_longer_when_one_found_nothing_in_its_way(
        self, work: Work, blocked: "Future[str]", batcher: Batcher[str, str]
    ) -> None:
        assert [batcher.answer(request, NEVER) for request in ("c2", "c3")] == ["C2", "C3"]
        assert work.batches == [["c1"], ["c3"]]
        work.locked["c1"].set()
        assert blocked.result(timeout=10) == "C1"
        assert batcher._apart == {}


def test_everybody_is_answered_whatever_happens(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty threads, random failures, random deadlines."""
    monkeypatch.setattr(batching, "TICK", 0.001)
    failing = (Conflict, DatabaseUnavailable, RuntimeError)

    def work(requests: Sequence[str], _deadline: Deadline) -> list[str]:
        threading.Event().wait(random.choice([0, 0, 0, 0.001, 0.01]))
        if random.random() < 0.2:
            raise random.choice(failing)()
        return [request.upper() for request in requests]

    batcher = Batcher[str, str](
        work, work, keys=lambda request: request[0], size=100, took=lambda _size: None
    )

    def call(number: int) -> bool:
        request = f"{'abcdefghij'[number % 10]}{number}"
        try:
            deadline = Deadline(random.choice([0.001, 0.01, 1, 1]))
            return batcher.answer(request, deadline) == request.upper()
        except failing:
            return True

    assert all(threads.map(call, range(4000), timeout=60))
    assert (batcher._at_work, list(batcher._waiting), batcher._apart) == (False, [], {})
