"""What some need and others have locked delays the rest once."""

from concurrent.futures import Future

import pytest

from enrollment_server.batching import MOST_ALONE
from enrollment_server.errors import DeadlineExceeded
from tests.batching.conftest import Leaving, MakeBatcher, Waiting, Work, results
from tests.support.waiting import wait_until


def test_what_is_locked_is_waited_for_alone(work: Work, waiting: Waiting) -> None:
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
def blocked(work: Work, waiting: Waiting) -> "Future[str]":
    """Needs what is locked, and has found that alone, too."""
    work.lock("c1")
    blocked = waiting.begin("c1")
    wait_until(lambda: work.batches[:2] == [["c1"], ["c1"]])
    return blocked


def answer_with_b(work: Work, waiting: Waiting, request: str) -> None:
    """Have it and b wait for the same batch."""
    gate = work.hold("a")
    futures = waiting.begin_behind("a", "b", request)
    gate.set()

    assert results(futures) == ["A", "B", request.upper()]


def test_what_shares_a_key_is_kept_out_of_batches(
    work: Work, blocked: "Future[str]", waiting: Waiting
) -> None:
    answer_with_b(work, waiting, "c2")

    assert ["b"] in work.batches
    assert ["c2"] in work.batches
    work.locked["c1"].set()
    assert blocked.result(timeout=10) == "C1"


def test_it_is_so_no_longer_when_one_found_nothing_in_its_way(
    work: Work, blocked: "Future[str]", waiting: Waiting
) -> None:
    assert waiting.answer("c2") == "C2"
    answer_with_b(work, waiting, "c3")

    assert ["b", "c3"] in work.batches
    work.locked["c1"].set()
    assert blocked.result(timeout=10) == "C1"
    assert waiting.forgot_everything()


def test_that_happens_once(work: Work, blocked: "Future[str]", waiting: Waiting) -> None:
    assert waiting.answer("c2") == "C2"
    work.lock("c3")
    another = waiting.begin("c3")
    wait_until(lambda: work.batches.count(["c3"]) >= 2)

    assert waiting.answer("c4") == "C4"
    answer_with_b(work, waiting, "c5")

    assert ["b"] in work.batches
    assert ["c5"] in work.batches
    work.unlock_all()
    assert results([blocked, another]) == ["C1", "C3"]
    assert waiting.forgot_everything()


def test_many_that_wait_for_it_keep_few_threads_and_nobody_else(
    work: Work, batcher_of: MakeBatcher
) -> None:
    waiting = batcher_of(work)
    wanting = [f"c{number}" for number in range(30)]
    work.lock_all(wanting)
    blocked = [waiting.begin(request) for request in wanting]
    wait_until(lambda: all([request] in work.batches for request in wanting))

    assert work.most_at_once <= 1 + MOST_ALONE  # a batch, and those
    assert waiting.answer("c99") == "C99"
    assert waiting.answer("d") == "D"
    work.unlock_all()
    assert results(blocked) == [request.upper() for request in wanting]


def test_who_shares_nothing_with_what_was_found_locked_is_next(
    work: Work, waiting: Waiting
) -> None:
    wanting = [f"c{number}" for number in range(20)]
    work.lock_all(wanting)
    gate = work.hold("a")
    [_, *blocked, other] = waiting.begin_behind("a", *wanting, "d")

    gate.set()

    assert other.result(timeout=10) == "D"
    before = work.batches[: work.batches.index(["d"])]
    # While it began, one more may have had its turn.
    assert len(before) <= len([["a"], [*wanting, "d"]]) + MOST_ALONE + 1
    work.unlock_all()
    assert results(blocked) == [request.upper() for request in wanting]


def test_what_is_locked_is_tried_in_turn_however_many_want_it(work: Work, waiting: Waiting) -> None:
    wanting = [*(f"c{number}" for number in range(20)), "d"]
    work.lock_all(wanting)
    futures = [waiting.begin(request) for request in wanting]
    wait_until(lambda: all([request] in work.batches for request in wanting))

    before = len(work.batches)
    work.locked["d"].set()

    assert futures[-1].result(timeout=10) == "D"
    assert len(work.batches) - before <= 3 * MOST_ALONE
    work.unlock_all()
    assert results(futures) == [request.upper() for request in wanting]


def test_what_was_locked_when_its_caller_left_is_remembered_for_a_while(
    work: Work, waiting: Waiting
) -> None:
    caller = Leaving()
    work.lock("c1")
    blocked = waiting.begin("c1", caller.deadline)
    wait_until(lambda: len(work.batches) >= 2)
    caller.leave()
    assert isinstance(blocked.exception(timeout=10), DeadlineExceeded)

    answer_with_b(work, waiting, "c2")

    assert ["b"] in work.batches
    assert waiting.forgot_everything()


def test_who_waits_for_it_for_too_long_is_told_that_nothing_was_done(
    work: Work, blocked: "Future[str]", waiting: Waiting
) -> None:
    leaving = Leaving()
    names = [f"c{number}" for number in range(2, 10)]  # more than are worked on at once
    work.lock_all(names)
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
