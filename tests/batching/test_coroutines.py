"""Coroutines that go on in the thread that has what they wait for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from enrollment_server.coroutines import Pause, start, wait


async def answer() -> str:
    return "an answer"


async def fail() -> str:
    raise KeyError("a reason")


def test_whoever_waits_for_a_coroutine_has_what_it_returns() -> None:
    assert wait(answer()) == "an answer"


def test_whoever_waits_for_a_coroutine_has_what_it_raises() -> None:
    with pytest.raises(KeyError, match="a reason"):
        wait(fail())


def test_a_coroutine_goes_on_in_the_thread_that_tells_it() -> None:
    pause = Pause()
    threads: list[threading.Thread] = []

    async def pausing() -> None:
        threads.append(threading.current_thread())
        await pause
        threads.append(threading.current_thread())

    start(pausing())
    other = threading.Thread(target=pause.go_on)
    other.start()
    other.join()

    assert threads == [threading.current_thread(), other]


def test_one_that_was_told_before_does_not_pause() -> None:
    pause = Pause()
    passed: list[bool] = []

    async def pausing() -> None:
        pause.go_on()
        await pause
        passed.append(True)

    start(pausing())

    assert passed == [True]


def test_its_context_goes_with_it() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="of nobody")
    pause = Pause()
    seen: list[str] = []

    async def pausing() -> None:
        variable.set("of the coroutine")
        await pause
        seen.append(variable.get())

    start(pausing())
    pause.go_on()

    assert seen == ["of the coroutine"]
    assert variable.get() == "of nobody"


def test_one_that_raises_costs_the_thread_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> None:
        await fail()

    start(failing())

    assert [record.message for record in caplog.records] == ["a coroutine failed"]


def test_of_two_at_once_one_tells_and_one_is_told() -> None:
    """However they meet, the coroutine goes on, and once."""
    passed: list[int] = []

    async def pausing(number: int, pause: Pause) -> None:
        await pause
        passed.append(number)

    with ThreadPoolExecutor(2) as threads:
        for number in range(2000):
            pause = Pause()
            both = threading.Barrier(2)

            def tell(pause: Pause = pause, both: threading.Barrier = both) -> None:
                both.wait(10)
                pause.go_on()

            telling = threads.submit(tell)
            both.wait(10)
            start(pausing(number, pause))
            telling.result(10)

    assert passed == list(range(2000))
