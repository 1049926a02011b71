"""Requests that wait are answered together, and each as it would have been alone."""

import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from enrollment_server.batching import Batcher
from enrollment_server.coroutines import wait
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import Conflict, DatabaseUnavailable, DeadlineExceeded, Locked
from enrollment_server.rpc.admission import CallThreads
from tests.batching.conftest import Leaving, MakeBatcher, Waiting, Work, results
from tests.support.waiting import wait_until


def test_a_request_alone_goes_at_once(waiting: Waiting, work: Work) -> None:
    assert waiting.answer("a") == "A"
    assert waiting.answer("b") == "B"
    assert work.batches == [["a"], ["b"]]


def test_those_that_wait_are_answered_together(work: Work, waiting: Waiting) -> None:
    gate = work.hold("a")
    futures = waiting.begin_behind("a", "b", "c", "b", "d")

    gate.set()

    assert results(futures) == ["A", "B", "C", "B", "D"]
    assert work.batches == [["a"], ["b", "c", "b", "d"]]


def test_a_batch_has_a_greatest_size(work: Work, batcher_of: MakeBatcher) -> None:
    gate = work.hold("a")
    futures = batcher_of(work, size=2).begin_behind("a", "b", "c", "d")

    gate.set()

    assert results(futures) == ["A", "B", "C", "D"]
    assert work.batches == [["a"], ["b", "c"], ["d"]]


@pytest.mark.parametrize("error", [Conflict(), RuntimeError("a defect")])
def test_one_that_fails_fails_alone(work: Work, waiting: Waiting, error: Exception) -> None:
    work.errors["c"] = error
    gate = work.hold("a")
    futures = waiting.begin_behind("a", "b", "c", "d")

    gate.set()

    assert futures[2].exception(timeout=10) is error
    assert results([futures[0], futures[1], futures[3]]) == ["A", "B", "D"]


@pytest.mark.parametrize("error", [Conflict(), RuntimeError("a defect")])
def test_one_that_fails_alone_is_not_tried_again(
    work: Work, waiting: Waiting, error: Exception
) -> None:
    work.errors["a"] = error

    assert waiting.begin("a").exception(timeout=10) is error
    assert work.batches == [["a"]]


def test_what_is_not_available_is_so_for_all_and_is_not_tried_again(
    work: Work, waiting: Waiting
) -> None:
    work.errors["c"] = DatabaseUnavailable()
    gate = work.hold("a")
    futures = waiting.begin_behind("a", "b", "c")

    gate.set()

    assert isinstance(futures[1].exception(timeout=10), DatabaseUnavailable)
    assert isinstance(futures[2].exception(timeout=10), DatabaseUnavailable)
    assert work.batches == [["a"], ["b", "c"]]


@pytest.mark.parametrize("error", [None, Locked()], ids=["in a batch", "alone"])
def test_work_is_done_where_others_are_told_that_it_blocks(
    error: Exception | None,
) -> None:
    blocking = 0
    found = []

    class Told(CallThreads):
        @contextmanager
        def blocking(self) -> Iterator[None]:
            nonlocal blocking
            blocking += 1
            try:
                yield
            finally:
                blocking -= 1

    def work(requests: Sequence[str], _deadline: Deadline) -> list[str]:
        found.append(blocking)
        if error and len(found) == 1:
            raise error
        return list(requests)

    batcher = Batcher[str, str](work, keys=list, threads=Told(1), size=10, took=lambda _size: None)
    assert wait(batcher.answer("a", NEVER)) == "a"

    assert found == ([1, 1] if error else [1])
    assert blocking == 0


def test_who_waits_for_too_long_is_told_so_and_is_in_no_batch(work: Work, waiting: Waiting) -> None:
    caller = Leaving()
    gate = work.hold("a")
    futures = waiting.begin_behind("a", "b", deadline=caller.deadline)

    caller.leave()
    waiting.batcher.look()

    assert isinstance(futures[1].exception(timeout=10), DatabaseUnavailable)
    gate.set()
    assert results(futures[:1]) == ["A"]
    assert work.batches == [["a"]]


def test_who_leaves_before_the_next_batch_is_in_none(work: Work, waiting: Waiting) -> None:
    caller = Leaving()
    gate = work.hold("a")
    futures = waiting.begin_behind("a", "b", deadline=caller.deadline)

    caller.leave()
    gate.set()

    assert isinstance(futures[1].exception(timeout=10), DatabaseUnavailable)
    assert results(futures[:1]) == ["A"]
    assert work.batches == [["a"]]


def test_who_leaves_a_batch_is_told_so_and_the_others_are_answered(
    work: Work, waiting: Waiting
) -> None:
    caller = Leaving()
    first, second = work.hold("a"), work.hold("b")
    futures = waiting.begin_behind("a", "b")
    leaving = waiting.begin("c", caller.deadline)
    wait_until(lambda: len(waiting.batcher._waiting) == 2)
    first.set()
    wait_until(lambda: work.batches == [["a"], ["b", "c"]])

    caller.leave()
    waiting.batcher.look()

    assert isinstance(leaving.exception(timeout=10), DatabaseUnavailable)
    second.set()
    assert results(futures) == ["A", "B"]


def test_the_first_of_a_batch_leaves_like_the_others(work: Work, waiting: Waiting) -> None:
    caller = Leaving()
    first, second = work.hold("a"), work.hold("c")
    futures = waiting.begin_behind("a", "b", deadline=caller.deadline)
    staying = waiting.begin("c")
    wait_until(lambda: len(waiting.batcher._waiting) == 2)
    first.set()
    wait_until(lambda: work.batches == [["a"], ["b", "c"]])

    caller.leave()
    waiting.batcher.look()

    assert isinstance(futures[1].exception(timeout=10), DatabaseUnavailable)
    second.set()
    assert staying.result(timeout=10) == "C"


def test_work_is_done_in_the_context_of_the_first(call_threads: CallThreads) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="of nobody")
    seen: list[str] = []

    def work(requests: Sequence[str], _deadline: Deadline) -> Sequence[str]:
        seen.append(variable.get())
        return requests

    batcher = Batcher[str, str](
        work, keys=list, threads=call_threads, size=10, took=lambda _size: None
    )
    variable.set("of a call")
    assert wait(batcher.answer("a", NEVER)) == "a"

    assert seen == ["of a call"]


def test_a_batch_has_time_for_as_long_as_anybody_waits(work: Work, waiting: Waiting) -> None:
    patient = Leaving()
    first, second = work.hold("a"), work.hold("b")
    futures = [*waiting.begin_behind("a", "b", deadline=Deadline(30))]
    leaving = waiting.begin("c", patient.deadline)
    wait_until(lambda: len(waiting.batcher._waiting) == 2)
    first.set()
    wait_until(lambda: work.batches == [["a"], ["b", "c"]])

    patient.leave()

    assert not work.deadlines[-1].over
    second.set()
    assert results([*futures, leaving]) == ["A", "B", "C"]


def test_everybody_is_answered_whatever_happens(
    threads: ThreadPoolExecutor, call_threads: CallThreads
) -> None:
    """Forty threads, random failures, random deadlines."""
    failing = (Conflict, Locked, DatabaseUnavailable, RuntimeError)

    def work(requests: Sequence[str], _deadline: Deadline) -> list[str]:
        threading.Event().wait(random.choice([0, 0, 0, 0.001, 0.01]))
        if random.random() < 0.2:
            raise random.choice(failing)()
        return [request.upper() for request in requests]

    batcher = Batcher[str, str](
        work,
        keys=lambda request: request[0],
        threads=call_threads,
        size=100,
        took=lambda _size: None,
    )
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.001):
            batcher.look()

    def call(number: int) -> bool:
        request = f"{'abcdefghij'[number % 10]}{number}"
        try:
            deadline = Deadline(random.choice([0.001, 0.01, 1, 1]))
            return wait(batcher.answer(request, deadline)) == request.upper()
        except (*failing, DeadlineExceeded):
            return True

    looking = threading.Thread(target=look)
    looking.start()
    try:
        assert all(threads.map(call, range(4000), timeout=60))
    finally:
        ended.set()
        looking.join()
    wait_until(lambda: not batcher._at_work)
    assert not any((batcher._waiting, batcher._batch, batcher._apart, batcher._alone))
    assert Waiting(batcher, threads).forgot_everything()
