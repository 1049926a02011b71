"""A batch is told in one go, and those who were told may come back for the next."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from enrollment_server import batching
from enrollment_server.batching import Batcher
from enrollment_server.coroutines import wait
from enrollment_server.deadline import NEVER
from enrollment_server.rpc.admission import CallThreads
from tests.batching.conftest import Waiting, Work, results
from tests.support.waiting import wait_until


def told_in_a_row(work: Work, threads: ThreadPoolExecutor) -> list[int]:
    """How many of a batch of three are told before somebody else has a turn, each time."""
    told: list[int] = []

    class Counting(CallThreads):
        @contextmanager
        def undisturbed(self) -> Iterator[None]:
            told.append(0)
            yield

    async def answer(request: str) -> None:
        await batcher.answer(request, NEVER)
        told[-1] += 1

    call_threads = Counting(3)
    batcher = Batcher[str, str](
        work, keys=list, threads=call_threads, size=3, took=lambda _size: None
    )
    gate = work.hold("a")
    first = threads.submit(wait, batcher.answer("a", NEVER))
    wait_until(lambda: bool(batcher._batch))
    others = [threads.submit(wait, answer(request)) for request in "bcd"]
    # And have come to where they wait: else they would go on by themselves when told.
    wait_until(lambda: [w.told._first.locked() for w in batcher._waiting] == [True] * 3)
    gate.set()
    first.result(timeout=10)
    for other in others:
        other.result(timeout=10)
    call_threads.stop()
    return [count for count in told if count]


def test_a_batch_is_told_in_one_go(
    work: Work, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "SLICE", 10)

    assert told_in_a_row(work, threads) == [3]


def test_others_have_a_turn_when_to_tell_a_batch_takes_long(
    work: Work, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "SLICE", 0)

    assert told_in_a_row(work, threads) == [1, 1, 1]


def test_there_is_no_pause_after_one_who_called_alone(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "PAUSE", 30)

    assert results([waiting.begin("a")]) == ["A"]
    assert results([waiting.begin("b")]) == ["B"]


def test_those_that_come_in_the_pause_after_a_batch_of_several_are_answered_together(
    work: Work, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "PAUSE", 1)
    gate = work.hold("a")
    futures = waiting.begin_behind("a", "b", "c")
    gate.set()
    results(futures)

    results([waiting.begin("d"), waiting.begin("e")])

    assert sorted(work.batches[2]) == ["d", "e"]
