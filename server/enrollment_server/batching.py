"""Requests that wait are answered together (natural batching, group commit).

While one batch is being worked on, requests that come wait, and the next batch takes all
of them. A request that finds nobody at work goes at once: there is no timer, and nothing is
waited for but work. Those that wait keep no thread: one of them leads the next batch, in a
thread that is lent to it, and the others go on in that thread when it is done.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar

from enrollment_server.coroutines import Pause
from enrollment_server.deadline import Deadline, LastDeadline
from enrollment_server.errors import DatabaseUnavailable

Request = TypeVar("Request")
Result = TypeVar("Result")

QUICKLY = 0.1  # seconds in which a request is answered that nothing is in the way of


class Threads(Protocol):
    """Those that work on requests."""

    def run(self, task: Callable[[], object], /) -> object:
        """Have one do this, soon."""

    def blocking(self) -> AbstractContextManager[object]:
        """Is entered by one that will wait, so that another takes its place meanwhile."""


class _Turn(Enum):
    """How far a request is."""

    WAITS = auto()  # for a batch
    IN_BATCH = auto()  # that another one leads
    LEADS = auto()  # works on a batch, with it and those that wait
    ALONE = auto()  # is worked on alone
    ANSWERED = auto()
    LEFT = auto()  # nobody waits for it any more


class _Waiter(Generic[Request, Result]):
    """A request, and what became of it."""

    result: Result

    def __init__(self, request: Request, deadline: Deadline) -> None:
        self.request = request
        self.deadline = deadline
        self.turn = _Turn.WAITS
        self.apart: list[tuple[Hashable, _Apart]] = []  # what it keeps out of batches
        self.error: Exception | None = None
        self.told = Pause()


class _Apart:
    """A key that is kept out of batches, by so many who work alone."""

    count = 0


class Batcher(Generic[Request, Result]):
    """Answers requests by `work`, which takes some and a deadline, and keeps their order.

    A request is answered as it would have been alone. When `work` fails, and nothing was
    done, each request is done alone by `work_alone`, with its own deadline. `work` is to fail
    soon if something is in the way, such as a row that others have locked; `work_alone` may
    wait for that. Meanwhile requests that share any of its `keys` are worked on alone as well:
    whatever is in the way of some delays the others once.

    `threads` do what is to be done; `size` is the most requests of a batch; `took` is given
    the size of each. Somebody has to call `look` now and then.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Request], Deadline], Sequence[Result]],
        work_alone: Callable[[Sequence[Request], Deadline], Sequence[Result]],
        *,
        keys: Callable[[Request], Iterable[Hashable]],
        threads: Threads,
        size: int,
        took: Callable[[int], object],
    ) -> None:
        self._work = work
        self._work_alone = work_alone
        self._keys = keys
        self._threads = threads
        self._size = size
        self._took = took
        self._lock = threading.Lock()  # of all that follows; nothing is waited for under it
        self._at_work = False  # whether there is a batch that is worked on
        self._batch: Sequence[_Waiter[Request, Result]] = ()  # that one
        self._waiting: deque[_Waiter[Request, Result]] = deque()
        self._apart: dict[Hashable, _Apart] = {}

    async def answer(self, request: Request, deadline: Deadline) -> Result:
        """The result for this request. Raises what `work_alone` raises.

        Raises DatabaseUnavailable if the deadline is over before there is an answer; the
        work may have been done.
        """
        waiter = _Waiter[Request, Result](request, deadline)
        with self._lock:
            if self._at_work:
                self._waiting.append(waiter)
            elif self._joins(waiter):  # and nobody waits, or somebody would be at work
                self._at_work = True
                waiter.turn = _Turn.LEADS
        if waiter.turn in (_Turn.WAITS, _Turn.IN_BATCH):
            await waiter.told
        if waiter.turn is _Turn.LEADS:
            self._lead(waiter)
        if waiter.turn is _Turn.ALONE:
            return self._answer_alone(waiter)
        if waiter.turn is _Turn.LEFT:
            raise DatabaseUnavailable
        if waiter.error is not None:
            raise waiter.error
        return waiter.result

    def look(self) -> None:
        """Wait no longer for what is over. To be called as often as that is to be noticed."""
        with self._lock:
            present = [*self._waiting, *self._batch]
        for waiter in present:
            if waiter.deadline.over and self._leaves(waiter):
                waiter.told.go_on()

    def _leaves(self, waiter: _Waiter[Request, Result]) -> bool:
        with self._lock:
            if waiter.turn is _Turn.WAITS:
                self._waiting.remove(waiter)
            elif waiter.turn is not _Turn.IN_BATCH:
                return False  # it is not for us to tell
            waiter.turn = _Turn.LEFT
            return True

    def _begin(self) -> None:
        """Have the first of those who wait lead a batch. With the lock."""
        leader = self._next()
        self._at_work = leader is not None
        if leader:
            leader.turn = _Turn.LEADS
            self._threads.run(leader.told.go_on)

    def _next(self) -> "_Waiter[Request, Result] | None":
        """The next of those who wait that can be in a batch. With the lock."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if self._joins(waiter):
                return waiter
            self._threads.run(waiter.told.go_on)
        return None

    def _joins(self, waiter: _Waiter[Request, Result]) -> bool:
        """Whether it can be in a batch; if not, its turn says what becomes of it. With the lock."""
        if waiter.deadline.over:
            waiter.turn = _Turn.LEFT
        elif any(key in self._apart for key in self._keys(waiter.request)):
            self._set_apart(waiter)
        else:
            return True
        return False

    def _lead(self, leader: _Waiter[Request, Result]) -> None:
        batch = [leader]
        again = False
        try:
            # Now, and not when the last batch ended: more have come until this thread woke.
            with self._lock:
                while len(batch) < self._size and (waiter := self._next()):
                    waiter.turn = _Turn.IN_BATCH
                    batch.append(waiter)
                self._batch = batch
            for waiter in batch:
                waiter.error = RuntimeError("the batch ended without an answer")
            self._took(len(batch))
            # The work has time for as long as anybody waits for it.
            again = self._work_on(batch, LastDeadline([waiter.deadline for waiter in batch]))
        finally:
            with self._lock:
                told = [waiter for waiter in batch if waiter.turn is _Turn.IN_BATCH]
                for waiter in [leader, *told]:
                    if again:
                        self._set_apart(waiter)
                    else:
                        waiter.turn = _Turn.ANSWERED
                self._batch = ()
            for waiter in told:
                if again:
                    self._threads.run(waiter.told.go_on)  # each may wait for as long as it likes
                else:
                    waiter.told.go_on()  # here: a thread takes longer to wake than to answer
            with self._lock:
                self._begin()  # only now: meanwhile more have come, and larger batches cost less

    def _work_on(self, batch: list[_Waiter[Request, Result]], deadline: Deadline) -> bool:
        """Give each its result or its error; returns whether they are to try again, alone."""
        try:
            with self._threads.blocking():
                results = self._work([waiter.request for waiter in batch], deadline)
        except DatabaseUnavailable as error:
            # It is so for all of them, and what it was in the middle of may have been done.
            for waiter in batch:
                waiter.error = DatabaseUnavailable()
                waiter.error.__cause__ = error
            return False
        except Exception as error:  # noqa: BLE001 - whoever it is about, it is told alone
            for waiter in batch:
                waiter.error = error
            return True  # nothing was done
        for waiter, result in zip(batch, results, strict=True):
            waiter.result, waiter.error = result, None
        return False

    def _answer_alone(self, waiter: _Waiter[Request, Result]) -> Result:
        start = time.monotonic()
        quickly = False
        try:
            with self._threads.blocking():
                [result] = self._work_alone([waiter.request], waiter.deadline)
            quickly = time.monotonic() - start < QUICKLY
            return result
        finally:
            with self._lock:
                self._let_in(waiter, quickly=quickly)

    def _set_apart(self, waiter: _Waiter[Request, Result]) -> None:
        """Have it worked on alone. With the lock."""
        waiter.turn = _Turn.ALONE
        for key in self._keys(waiter.request):
            apart = self._apart.setdefault(key, _Apart())
            apart.count += 1
            waiter.apart.append((key, apart))

    def _let_in(self, waiter: _Waiter[Request, Result], *, quickly: bool) -> None:
        """Keep out of batches no longer what it kept out. With the lock."""
        for key, apart in waiter.apart:
            apart.count -= 1
            # If this one found nothing in its way, the next need not be alone.
            if (quickly or apart.count == 0) and self._apart.get(key) is apart:
                del self._apart[key]
