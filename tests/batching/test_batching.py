"""Requests that wait are answered together, and each as it would have been alone."""

import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from enrollment_server.batching import MOST_ALONE, Batcher
from enrollment_server.coroutines import wait
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import Conflict, DatabaseUnavailable, DeadlineExceeded, Locked
from enrollment_server.rpc.admission import CallThreads
from tests.batching.conftest import Leaving, MakeBatcher, Waiting, Work
from tests.support.waiting import wait_until


def results(futures: "list[Future[str]]") -> list[str]:
    return [future.result(timeout=10) for future in futures]


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


class TestLocked:
    """What some need and others have locked delays the rest once."""

    def test_what_is_locked_is_waited_for_alone(self, work: Work, waiting: Waiting) -> None:
        gate = work.hold("a")
        locked = work.lock("c")
        futures = waiting.begin_behind("a", "b", "c", "d")
        gate.set()

        assert results([futures[0], futures[1], futures[3]]) == ["A", "B", "D"]
        assert waiting.answer("e") == "E"
        assert not futures[2].done()
        locked.set()
        assert results(futures) == ["A", "B", "C", "D"]
        assert waiting.forgot_everything()

    @pytest.fixture
    def blocked(self, work: Work, waiting: Waiting) -> "Future[str]":
        """Needs what is locked, and has found that alone, too."""
        work.lock("c1")
        blocked = waiting.begin("c1")
        wait_until(lambda: work.batches[:2] == [["c1"], ["c1"]])
        return blocked

    def test_what_shares_a_key_is_kept_out_of_batches(
        self, work: Work, blocked: "Future[str]", waiting: Waiting
    ) -> None:
        gate = work.hold("a")
        futures = waiting.begin_behind("a", "b", "c2")
        gate.set()

        assert results(futures) == ["A", "B", "C2"]
        assert ["b"] in work.batches
        assert ["c2"] in work.batches
        work.locked["c1"].set()
        assert blocked.result(timeout=10) == "C1"

    def test_it_is_so_no_longer_when_one_found_nothing_in_its_way(
        self, work: Work, blocked: "Future[str]", waiting: Waiting
    ) -> None:
        assert waiting.answer("c2") == "C2"
        gate = work.hold("a")
        futures = waiting.begin_behind("a", "b", "c3")
        gate.set()

        assert results(futures) == ["A", "B", "C3"]
        assert ["b", "c3"] in work.batches
        work.locked["c1"].set()
        assert blocked.result(timeout=10) == "C1"
        assert waiting.forgot_everything()

    def test_that_happens_once(self, work: Work, blocked: "Future[str]", waiting: Waiting) -> None:
        assert waiting.answer("c2") == "C2"
        work.lock("c3")
        another = waiting.begin("c3")
        wait_until(lambda: work.batches.count(["c3"]) >= 2)

        assert waiting.answer("c4") == "C4"
        gate = work.hold("a")
        futures = waiting.begin_behind("a", "b", "c5")
        gate.set()

        assert results(futures) == ["A", "B", "C5"]
        assert ["b"] in work.batches
        assert ["c5"] in work.batches
        for request in ("c1", "c3"):
            work.locked[request].set()
        assert results([blocked, another]) == ["C1", "C3"]
        assert waiting.forgot_everything()

    def test_many_that_wait_for_it_keep_few_threads_and_nobody_else(
        self, work: Work, batcher_of: MakeBatcher
    ) -> None:
        waiting = batcher_of(work)
        wanting = [f"c{number}" for number in range(30)]
        for request in wanting:
            work.lock(request)
        blocked = [waiting.begin(request) for request in wanting]
        wait_until(lambda: all([request] in work.batches for request in wanting))

        assert work.most_at_once <= 1 + MOST_ALONE  # a batch, and those
        assert waiting.answer("c99") == "C99"
        assert waiting.answer("d") == "D"
        for request in wanting:
            work.locked[request].set()
        assert results(blocked) == [request.upper() for request in wanting]

    def test_who_shares_nothing_with_what_was_found_locked_is_next(
        self, work: Work, waiting: Waiting
    ) -> None:
        wanting = [f"c{number}" for number in range(20)]
        for request in wanting:
            work.lock(request)
        gate = work.hold("a")
        [_, *blocked, other] = waiting.begin_behind("a", *wanting, "d")

        gate.set()

        assert other.result(timeout=10) == "D"
        before = work.batches[: work.batches.index(["d"])]
        # While it began, one more may have had its turn.
        assert len(before) <= len([["a"], [*wanting, "d"]]) + MOST_ALONE + 1
        for request in wanting:
            work.locked[request].set()
        assert results(blocked) == [request.upper() for request in wanting]

    def test_what_is_locked_is_tried_in_turn_however_many_want_it(
        self, work: Work, waiting: Waiting
    ) -> None:
        wanting = [*(f"c{number}" for number in range(20)), "d"]
        for request in wanting:
            work.lock(request)
        futures = [waiting.begin(request) for request in wanting]
        wait_until(lambda: all([request] in work.batches for request in wanting))

        before = len(work.batches)
        work.locked["d"].set()

        assert futures[-1].result(timeout=10) == "D"
        assert len(work.batches) - before <= 3 * MOST_ALONE
        for request in wanting:
            work.locked[request].set()
        assert results(futures) == [request.upper() for request in wanting]

    def test_what_was_locked_when_its_caller_left_is_remembered_for_a_while(
        self, work: Work, waiting: Waiting
    ) -> None:
        caller = Leaving()
        work.lock("c1")
        blocked = waiting.begin("c1", caller.deadline)
        wait_until(lambda: len(work.batches) >= 2)
        caller.leave()
        assert isinstance(blocked.exception(timeout=10), DeadlineExceeded)

        gate = work.hold("a")
        futures = waiting.begin_behind("a", "b", "c2")
        gate.set()

        assert results(futures) == ["A", "B", "C2"]
        assert ["b"] in work.batches
        assert waiting.forgot_everything()

    def test_who_waits_for_it_for_too_long_is_told_that_nothing_was_done(
        self, work: Work, blocked: "Future[str]", waiting: Waiting
    ) -> None:
        leaving = Leaving()
        names = [f"c{number}" for number in range(2, 10)]  # more than are worked on at once
        for name in names:
            work.lock(name)
        wanting = [waiting.begin(name, leaving.deadline) for name in names]
        wait_until(lambda: all([name] in work.batches for name in names))

        leaving.leave()
        waiting.batcher.look()

        told = [future.exception(timeout=10) for future in wanting]
        assert [type(error) for error in told] == [DeadlineExceeded] * len(names)
        assert not blocked.done()
        work.locked["c1"].set()
        assert blocked.result(timeout=10) == "C1"
        assert waiting.forgot_everything()


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
