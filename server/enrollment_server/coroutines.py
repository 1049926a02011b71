"""Coroutines without an event loop: each goes on in the thread that has what it waits for.

One that waits keeps no thread, and to be told costs no wake-up: whoever tells it, goes on
with it. What is not awaited blocks the thread, as everywhere.
"""

import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Pause:
    """Is awaited, once, by a coroutine that goes on when `go_on` is called, once."""

    def __init__(self) -> None:
        self._step: Callable[[], object] | None = None
        self._first = threading.Lock()  # whoever comes second to it, goes on

    def go_on(self) -> None:
        """Go on with the coroutine here, until it pauses again or ends.

        If it has not come to its pause yet, it will not stop there.
        """
        if self._came_second() and self._step:
            self._step()

    def passed(self, step: Callable[[], object]) -> bool:
        """Whether `go_on` was called before; if not, it will call `step`."""
        self._step = step
        return self._came_second()

    def _came_second(self) -> bool:
        return not self._first.acquire(blocking=False)

    def __await__(self) -> "Generator[Pause, None, None]":
        yield self


def start(coroutine: "Coroutine[Pause, None, None]") -> None:
    """Run it here until it pauses or ends. It is not to raise; what it raises is logged."""
    _Started(coroutine).step()


class _Started:
    """A coroutine, and its context, which goes with it from thread to thread: its span, say."""

    def __init__(self, coroutine: "Coroutine[Pause, None, None]") -> None:
        self._send = coroutine.send
        self._run = contextvars.copy_context().run

    def step(self) -> None:
        try:
            while self._run(self._send, None).passed(self.step):
                pass
        except StopIteration:
            pass
        except BaseException:  # this thread may be anybody's
            logger.exception("a coroutine failed")


def wait(coroutine: Coroutine[Any, None, Result]) -> Result:
    """Run it, and wait here for what it returns. Raises what it raises."""
    outcome: Future[Result] = Future()

    async def run() -> None:
        try:
            outcome.set_result(await coroutine)
        except BaseException as error:  # noqa: BLE001 - it is for the one who waits
            outcome.set_exception(error)

    start(run())
    return outcome.result()
