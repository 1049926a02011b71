"""Requests that wait are answered together (natural batching, group commit).

While one batch is being worked on, requests that come wait, and the next batch takes all
of them. A request that finds nobody at work goes at once: nothing is waited for but work. Only
after a batch of several there is a PAUSE, in which those just answered may come back. Those that
wait keep no thread.
"""

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Generic, Protocol, TypeVar

from enrollment_server.coroutines import Pause
from enrollment_server.deadline import TICK, Deadline, LastDeadline
from enrollment_server.errors import DatabaseUnavailable, DeadlineExceeded, Locked
from enrollment_server.kept_out import Hold, KeptOut

Request = TypeVar("Request")
Result = TypeVar("Result")

MOST_ALONE = 3  # requests of a batcher that are worked on alone at a time
QUICKLY = 0.1  # seconds in which a request is answered that nothing is in the way of
SLICE = 0.005  # seconds for which a batch is told undisturbed, as long as a thread of Python runs
PAUSE = 0.0002  # seconds after each slice of a batch of several


class Threads(Protocol):
    """Those that work on requests."""

    def run(self, task: Callable[[], object], /) -> object:
        """Have one do this, soon."""

    def blocking(self) -> AbstractContextManager[object]:
        """Is entered by one that will wait, so that another takes its place meanwhile."""

    def undisturbed(self) -> AbstractContextManager[object]:
        """Is entered by one that has much to do and waits for nothing.

        Meanwhile, those who would only take Python's lock from it wait, but not for long.
        """


class _Waiter(Generic[Request, Result]):
    """A request, and what became of it."""

    result: Result

    def __init__(self, request: Request, keys: tuple[Hashable, ...], deadline: Deadline) -> None:
        self.request = request
        self.keys = keys
        self.deadline = deadline
        self.context = contextvars.copy_context()  # with the span that work is a part of
        self.hold = Hold()
        self.error: Exception | None = None
        self.told = Pause()


class Batcher(Generic[Request, Result]):
    """Answers requests by `work`, which takes some and a deadline, and keeps their order.

    A request is answered as it would have been alone. When `work` fails, and nothing was
    done, each request is done alone, with its own deadline. `work` is to raise Locked, soon,
    if others have locked what it needs; who finds that alone tries again for as long as the
    deadline lasts. Meanwhile requests that share any of its `keys` are worked on alone as
    well: whatever is in the way of some delays the others once.

    `threads` do what is to be done; `size` is the most requests of a batch; `took` is given
    the size of each. Somebody has to call `look` now and then.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Request], Deadline], Sequence[Result]],
        *,
        keys: Callable[[Request], Iterable[Hashable]],
        threads: Threads,
        size: int,
        took: Callable[[int], object],
    ) -> None:
        self._work = work
        self._keys = keys
        self._threads = threads
        self._size = size
        self._took = took
        self._lock = threading.Lock()  # of all that follows; nothing is waited for under it
        self._waiting: deque[_Waiter[Request, Result]] = deque()
        self._at_work = False  # whether there is a batch that is worked on
        self._batch: list[_Waiter[Request, Result]] = []  # who waits for that one
        self._apart: list[_Waiter[Request, Result]] = []  # who is to be worked on alone
        self._alone = 0  # how many of those are worked on
        self._kept_out = KeptOut()

    async def answer(self, request: Request, deadline: Deadline) -> Result:
        """The result for this request. Raises what `work` raises.

        Raises DatabaseUnavailable if the deadline is over before there is an answer; the
        work may have been done. DeadlineExceeded says that it was not.
        """
        waiter = _Waiter[Request, Result](request, tuple(self._keys(request)), deadline)
        with self._lock:
            self._waiting.append(waiter)
            self._begin()
        await waiter.told
        if waiter.error is not None:
            raise waiter.error
        return waiter.result

    def look(self) -> None:
        """Wait no longer for what is over. To be called as often as that is to be noticed."""
        with self._lock:
            self._kept_out.forget()
            # For one in a batch of its own, the work ends with the deadline, and knows more.
            present = [*self._waiting, *self._apart, *(self._batch if self._batch[1:] else ())]
        for waiter in present:
            if waiter.deadline.over:
                with self._lock:
                    left = self._leave(waiter)
                if left:
                    waiter.told.go_on()

    def _leave(self, waiter: _Waiter[Request, Result]) -> bool:
        """Have it wait no longer; returns whether it did, and is to be told. With the lock."""
        for queue in (self._waiting, self._batch):
            if waiter in queue:  # and the batch does not end, or the one before it
                queue.remove(waiter)
                waiter.error = DatabaseUnavailable()
                return True
        if waiter in self._apart:
            self._apart.remove(waiter)
            self._kept_out.let_in(waiter.hold)
            waiter.error = DeadlineExceeded()
            return True
        return False

    def _begin(self) -> None:
        """Have threads work on what waits, as far as that is not under way. With the lock."""
        if self._waiting and not self._at_work:
            self._at_work = True
            self._threads.run(self._work_together)
        while self._apart:
            doubt, place = min((w.hold.doubt(), n) for n, w in enumerate(self._apart))
            # The last place is for one that may find nothing in its way.
            if self._alone >= (MOST_ALONE - 1 if doubt else MOST_ALONE):
                break
            waiter = self._apart.pop(place)
            self._alone += 1
            self._threads.run(partial(self._work_alone, waiter))

    def _work_together(self) -> None:
        batch: Sequence[_Waiter[Request, Result]] = ()
        error: Exception | None = RuntimeError("a batch ended without an answer")
        try:
            # Now, and not when the last batch ended: more have come until this thread woke.
            with self._lock:
                self._take_batch()
                batch = tuple(self._batch)
            if batch:
                self._took(len(batch))
                # The work has time for as long as anybody waits for it.
                error = self._try(batch, LastDeadline([waiter.deadline for waiter in batch]))
        finally:
            # Whoever it is about is told alone. What is not available is so for all of them,
            # and what it was in the middle of may have been done.
            again = isinstance(error, Locked) or (
                len(batch) > 1 and not isinstance(error, DatabaseUnavailable | None)
            )
            with self._lock:
                told, self._batch = self._batch, []
                if again:
                    self._set_apart(told)
            try:
                if not again:
                    self._tell(told, error)
            finally:
                with self._lock:
                    self._at_work = False
                    # Only now: meanwhile more have come, and larger batches cost less.
                    self._begin()

    def _tell(self, told: Sequence[_Waiter[Request, Result]], error: Exception | None) -> None:
        """Tell them what became of their batch, and let them come back for the next."""
        left = deque(told)
        while left:
            with self._threads.undisturbed():
                end = time.monotonic() + SLICE
                while left:
                    waiter = left.popleft()
                    waiter.error = _own(error)
                    waiter.told.go_on()  # here: a thread takes longer to wake than to answer
                    if time.monotonic() >= end:
                        break
            if len(told) > 1:
                # Else this thread would have Python's lock again at once, for a batch of the few
                # who got through. It counts as awake: no other is to be woken for so short.
                time.sleep(PAUSE)

    def _take_batch(self) -> None:
        """Of those that wait, as many as can be in one. With the lock."""
        while self._waiting and len(self._batch) < self._size:
            waiter = self._waiting[0]
            if waiter.deadline.over:
                self._leave(waiter)
                self._threads.run(waiter.told.go_on)
                continue
            self._waiting.popleft()
            if kept_out := self._kept_out.among(waiter.keys):
                self._kept_out.keep(waiter.hold, kept_out)
                self._apart.append(waiter)
            else:
                self._batch.append(waiter)

    def _work_alone(self, waiter: _Waiter[Request, Result]) -> None:
        error: Exception | None = RuntimeError("work ended without an answer")
        start = time.monotonic()
        try:
            if waiter.hold.doubt() and waiter.deadline.remaining() < TICK:
                # To connect, perhaps, takes as long: that says nothing of the database.
                error = DeadlineExceeded()
            else:
                error = self._try([waiter], waiter.deadline)
        finally:
            locked = isinstance(error, Locked)
            with self._lock:
                self._alone -= 1
                if locked:
                    # Not only what it shared: that need not be what is locked.
                    self._kept_out.keep(waiter.hold, waiter.keys)
                    waiter.hold.found_locked()
                    self._apart.append(waiter)
                else:
                    quickly = error is None and time.monotonic() - start < QUICKLY
                    self._kept_out.let_in(waiter.hold, quickly=quickly)
                self._begin()
            if not locked:
                waiter.error = error
                waiter.told.go_on()

    def _try(
        self, waiters: Sequence[_Waiter[Request, Result]], deadline: Deadline
    ) -> Exception | None:
        """Give each its result; returns what went wrong instead."""
        requests = [waiter.request for waiter in waiters]
        try:
            with self._threads.blocking():
                results = waiters[0].context.run(self._work, requests, deadline)
            for waiter, result in zip(waiters, results, strict=True):
                waiter.result = result
        except Exception as error:  # noqa: BLE001 - somebody waits for it
            return error
        return None

    def _set_apart(self, waiters: Sequence[_Waiter[Request, Result]]) -> None:
        """Have those of a batch that failed worked on alone. With the lock."""
        for waiter in waiters:
            self._kept_out.failed(waiter.keys)
            self._kept_out.keep(waiter.hold, waiter.keys)
        self._apart.extend(waiters)


def _own(error: Exception | None) -> Exception | None:
    """One that only one raises: it will have that one's traceback."""
    if not isinstance(error, DatabaseUnavailable):
        return error
    own = DatabaseUnavailable()
    own.__cause__ = error
    return own
