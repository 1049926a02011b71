"""Requests that wait are answered together (natural batching, group commit).

While one batch is being worked on, requests that come wait, and the next batch takes all
of them. A request that finds nobody at work goes at once: there is no timer, and nothing is
waited for but work. No thread is kept for it: one of those who wait leads the next batch.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import Enum, auto
from typing import Generic, TypeVar

from enrollment_server.deadline import TICK, Deadline
from enrollment_server.errors import DatabaseUnavailable

Request = TypeVar("Request")
Result = TypeVar("Result")

QUICKLY = 0.1  # seconds in which a request is answered that nothing is in the way of


class _Turn(Enum):
    """How far a request is."""

    WAITS = auto()  # for a batch
    IN_BATCH = auto()  # that another thread works on
    LEADS = auto()  # its thread works on a batch, with it and those that wait
    ALONE = auto()  # its thread works on it alone
    ANSWERED = auto()
    LEFT = auto()  # nobody waits for it any more


class _Waiter(Generic[Request, Result]):
    """A request, and what became of it."""

    result: Result

    def __init__(self, request: Request, deadline: Deadline) -> None:
        self.request = request
        self.deadline = deadline
        self.turn = _Turn.WAITS
        self.apart: list[tuple[Hashable, _Apart]] = []  # what its thread keeps out of batches
        self.error: Exception | None = None
        self._told = threading.Lock()  # the cheapest thing that a thread can wait for
        self._told.acquire()

    def tell(self) -> None:
        """Wake its thread; once."""
        self._told.release()

    def wait(self) -> bool:
        """Whether it was told, in a moment."""
        return self._told.acquire(timeout=TICK)


class _Apart:
    """A key that is kept out of batches, by so many who work alone."""

    count = 0


class Batcher(Generic[Request, Result]):
    """Answers requests by `work`, which takes some and a deadline, and keeps their order.

    A request is answered as it would have been alone. When `work` fails, and nothing was
    done, the thread of each request has it done alone by `work_alone`, with its own deadline.
    `work` is to fail soon if something is in the way, such as a row that others have
    locked; `work_alone` may wait for that. Meanwhile requests that share any of its `keys` are
    worked on alone as well: whatever is in the way of some delays the others once.

    `size` is the most requests of a batch; `took` is given the size of each.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Request], Deadline], Sequence[Result]],
        work_alone: Callable[[Sequence[Request], Deadline], Sequence[Result]],
        *,
        keys: Callable[[Request], Iterable[Hashable]],
        size: int,
        took: Callable[[int], object],
    ) -> None:
        self._work = work
        self._work_alone = work_alone
        self._keys = keys
        self._size = size
        self._took = took
        self._lock = threading.Lock()  # of all that follows; nothing is waited for under it
        self._at_work = False  # whether there is a batch that is worked on
        self._waiting: deque[_Waiter[Request, Result]] = deque()
        self._apart: dict[Hashable, _Apart] = {}

    def answer(self, request: Request, deadline: Deadline) -> Result:
        """The result for this request. Raises what `work_alone` raises.

        Raises DatabaseUnavailable if the deadline is over before there is an answer; the
        work may have been done.
        """
        waiter = _Waiter[Request, Result](request, deadline)
        with self._lock:
            self._waiting.append(waiter)
            if not self._at_work:
                self._begin()
        try:
            while waiter.turn in (_Turn.WAITS, _Turn.IN_BATCH):
                if not waiter.wait() and deadline.over:
                    self._leave(waiter)
        except BaseException:
            self._abandon(waiter)
            raise
        if waiter.turn is _Turn.LEADS:
            self._lead(waiter)
        if waiter.turn is _Turn.ALONE:
            return self._answer_alone(waiter)
        if waiter.error is not None:
            raise waiter.error
        return waiter.result

    def _leave(self, waiter: _Waiter[Request, Result]) -> None:
        with self._lock:
            if waiter.turn is _Turn.WAITS:
                self._waiting.remove(waiter)
            elif waiter.turn is not _Turn.IN_BATCH:
                return  # it has just been told
            waiter.turn = _Turn.LEFT
            waiter.error = DatabaseUnavailable()

    def _abandon(self, waiter: _Waiter[Request, Result]) -> None:
        """Its thread will do nothing any more, whatever it was to do."""
        with self._lock:
            if waiter.turn is _Turn.WAITS:
                self._waiting.remove(waiter)
            elif waiter.turn is _Turn.LEADS:
                self._begin()
            self._let_in(waiter, quickly=False)
            waiter.turn = _Turn.LEFT

    def _begin(self) -> None:
        """Have the first of those who wait lead a batch. With the lock."""
        leader = self._next()
        self._at_work = leader is not None
        if leader:
            leader.turn = _Turn.LEADS
            leader.tell()

    def _next(self) -> "_Waiter[Request, Result] | None":
        """The next of those who wait that can be in a batch. With the lock."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if waiter.deadline.over:
                waiter.turn, waiter.error = _Turn.LEFT, DatabaseUnavailable()
                waiter.tell()
            elif any(key in self._apart for key in self._keys(waiter.request)):
                self._set_apart(waiter)
                waiter.tell()
            else:
                return waiter
        return None

    def _lead(self, leader: _Waiter[Request, Result]) -> None:
        batch = [leader]
        again = False
        try:
            # Now, and not when the last batch ended: more have come until this thread woke.
            with self._lock:
                while len(batch) < self._size and (waiter := self._next()):
                    waiter.turn = _Turn.IN_BATCH
                    batch.append(waiter)
            for waiter in batch:
                waiter.error = RuntimeError("the batch ended without an answer")
            self._took(len(batch))
            # The work has the time of the most patient one.
            deadlines = [waiter.deadline for waiter in batch]
            again = self._work_on(batch, max(deadlines, key=Deadline.remaining))
        finally:
            with self._lock:
                told = [waiter for waiter in batch if waiter.turn is _Turn.IN_BATCH]
                for waiter in [leader, *told]:
                    if again:
                        self._set_apart(waiter)
                    else:
                        waiter.turn = _Turn.ANSWERED
                for waiter in told:
                    waiter.tell()
                self._begin()

    def _work_on(self, batch: list[_Waiter[Request, Result]], deadline: Deadline) -> bool:
        """Give each its result or its error; returns whether they are to try again, alone."""
        try:
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
            [result] = self._work_alone([waiter.request], waiter.deadline)
            quickly = time.monotonic() - start < QUICKLY
            return result
        finally:
            with self._lock:
                self._let_in(waiter, quickly=quickly)

    def _set_apart(self, waiter: _Waiter[Request, Result]) -> None:
        """Have its thread work on it alone. With the lock."""
        waiter.turn = _Turn.ALONE
        for key in self._keys(waiter.request):
            apart = self._apart.setdefault(key, _Apart())
            apart.count += 1
            waiter.apart.append((key, apart))

    def _let_in(self, waiter: _Waiter[Request, Result], *, quickly: bool) -> None:
        """Keep out of batches no longer what its thread kept out. With the lock."""
        for key, apart in waiter.apart:
            apart.count -= 1
            # If this one found nothing in its way, the next need not be alone.
            if (quickly or apart.count == 0) and self._apart.get(key) is apart:
                del self._apart[key]
