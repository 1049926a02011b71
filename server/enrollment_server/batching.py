"""Requests that wait are answered together (natural batching, group commit).

While one batch is being worked on, requests that come wait, and the next batch takes all
of them. A request that finds nobody at work goes at once: there is no timer, and nothing is
waited for but work. No thread is kept for it: whoever waits longest leads the next batch.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from enum import Enum, auto
from typing import Generic, TypeVar

from enrollment_server.deadline import TICK, Bounded, Deadline, Latest
from enrollment_server.errors import DatabaseUnavailable

Request = TypeVar("Request")
Result = TypeVar("Result")

# Seconds that a batch may wait for others, such as for rows that they have locked; and that
# requests wait for a batch before they begin another beside it.
PATIENCE = 0.25


class _Turn(Enum):
    """Whose turn it is to do something for a request."""

    WAITS = auto()  # for a batch to be its own
    IN_BATCH = auto()  # that another thread works on
    LEADS = auto()  # its thread works on its batch
    ALONE = auto()  # its thread works on it alone
    ANSWERED = auto()


class _Waiter(Generic[Request, Result]):
    """A request, and how far it is."""

    batch: "_Batch[Request, Result]"  # that it leads
    line: "_Line"  # in which it works alone
    result: Result

    def __init__(self, request: Request, deadline: Deadline) -> None:
        self.request = request
        self.deadline = deadline
        self.turn = _Turn.WAITS
        self.error: Exception | None = None
        self.again = False  # alone
        self.waited = False
        self._told = threading.Lock()  # the cheapest thing that a thread can wait for
        self._told.acquire()

    def tell(self) -> None:
        """Wake its thread; once."""
        self._told.release()

    def wait(self, seconds: float) -> bool:
        """Whether it was told in this time."""
        self.waited = True
        return self._told.acquire(timeout=seconds)

    @property
    def too_late(self) -> bool:
        """Whether it has waited here for all of its time: for what does not answer."""
        return self.waited and self.deadline.over


class _Batch(Generic[Request, Result]):
    """Requests that are being worked on together."""

    def __init__(self, waiters: list[_Waiter[Request, Result]]) -> None:
        self.waiters = waiters
        self.apart = False  # whether it takes so long that its keys are kept apart
        self._began = time.monotonic()

    @property
    def late(self) -> bool:
        return time.monotonic() - self._began > PATIENCE


class _Line:
    """Those who work alone on one key, one at a time."""

    def __init__(self) -> None:
        self.count = 0  # of those who keep it open
        self.turn = threading.Lock()


class Batcher(Generic[Request, Result]):
    """Answers requests by `work`, which takes some and a deadline, and keeps their order.

    A request is answered as it would have been alone. When a batch fails and nothing was
    done, the thread of each of its requests works on that alone, with its own deadline.
    While one works alone, or in a batch that takes long, others of the same `key` keep out of
    batches, and work one at a time: what is locked by somebody else delays nobody twice.

    `size` is the most requests of a batch. A `patient` batch has the time of its most patient
    caller; another has PATIENCE until it commits, if it is of several. `took` is given the
    size of each.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Request], Deadline], Sequence[Result]],
        *,
        key: Callable[[Request], Hashable],
        size: int,
        patient: bool,
        took: Callable[[int], object],
    ) -> None:
        self._work = work
        self._key = key
        self._size = size
        self._patient = patient
        self._took = took
        self._lock = threading.Lock()  # of all that follows; nothing is waited for under it
        self._batch: _Batch[Request, Result] | None = None  # the newest that is worked on
        self._waiting: deque[_Waiter[Request, Result]] = deque()
        self._lines: dict[Hashable, _Line] = {}

    def answer(self, request: Request, deadline: Deadline) -> Result:
        """The result for this request. Raises what `work` raises."""
        waiter = _Waiter[Request, Result](request, deadline)
        with self._lock:
            self._waiting.append(waiter)
            if self._batch is None:
                self._begin()
        while waiter.turn in (_Turn.WAITS, _Turn.IN_BATCH):
            self._wait(waiter)
        if waiter.turn is _Turn.LEADS:
            self._lead(waiter.batch)
        if waiter.turn is _Turn.ALONE:
            return self._answer_alone(waiter)
        if waiter.error is not None:
            raise waiter.error
        return waiter.result

    def _wait(self, waiter: _Waiter[Request, Result]) -> None:
        """Until it is told, or for a moment. Raises DatabaseUnavailable if that was too long."""
        if waiter.wait(TICK):
            return
        with self._lock:
            if waiter.turn is _Turn.WAITS:
                if waiter.too_late:
                    self._waiting.remove(waiter)
                    raise DatabaseUnavailable
                if self._batch is not None and self._batch.late:
                    self._keep_apart(self._batch)
                    self._begin()
            elif waiter.turn is _Turn.IN_BATCH and self._patient and waiter.too_late:
                raise DatabaseUnavailable  # it only reads: the others may go on

    def _begin(self) -> None:
        """Have the one who waits longest lead a batch of all who wait. With the lock."""
        waiters: list[_Waiter[Request, Result]] = []
        while self._waiting and len(waiters) < self._size:
            waiter = self._waiting.popleft()
            if self._key(waiter.request) in self._lines:
                self._set_apart(waiter)
                waiter.tell()
            else:
                waiter.turn = _Turn.IN_BATCH
                waiters.append(waiter)
        self._batch = None
        if waiters:
            self._batch = waiters[0].batch = _Batch(waiters)
            waiters[0].turn = _Turn.LEADS
            waiters[0].tell()

    def _lead(self, batch: _Batch[Request, Result]) -> None:
        others = batch.waiters[1:]
        try:
            self._work_on(batch.waiters)
        finally:
            with self._lock:
                for waiter in batch.waiters:
                    if waiter.again:
                        self._set_apart(waiter)
                    else:
                        waiter.turn = _Turn.ANSWERED
                    if batch.apart:
                        self._leave_line(waiter)
                if self._batch is batch:  # else another has begun beside it
                    self._begin()
            for waiter in others:
                waiter.tell()

    def _work_on(self, waiters: list[_Waiter[Request, Result]]) -> None:
        """Give each its result, or its error."""
        self._took(len(waiters))
        alone = len(waiters) == 1
        deadline = waiters[0].deadline
        if not alone:
            deadline = Latest([waiter.deadline for waiter in waiters])
            if not self._patient:
                deadline = Bounded(deadline, PATIENCE)
        if all(waiter.too_late for waiter in waiters):
            for waiter in waiters:
                waiter.error = DatabaseUnavailable()
            return
        try:
            results = self._work([waiter.request for waiter in waiters], deadline)
        except Exception as error:  # noqa: BLE001 - whoever waits is to have it
            # What is not available is so for all of them, and may have gone away in the
            # commit. With any other error, nothing was done.
            again = not alone and not isinstance(error, DatabaseUnavailable)
            for waiter in waiters:
                waiter.error, waiter.again = error, again
        else:
            for waiter, result in zip(waiters, results, strict=True):
                waiter.result = result

    def _answer_alone(self, waiter: _Waiter[Request, Result]) -> Result:
        line = waiter.line
        try:
            while not line.turn.acquire(timeout=TICK):
                waiter.waited = True
                if waiter.too_late:
                    raise DatabaseUnavailable
            try:
                if waiter.too_late:
                    raise DatabaseUnavailable
                [result] = self._work([waiter.request], waiter.deadline)
                return result
            finally:
                line.turn.release()
        finally:
            with self._lock:
                self._leave_line(waiter)

    def _keep_apart(self, batch: _Batch[Request, Result]) -> None:
        """Let no other batch take up what this one is about. With the lock."""
        batch.apart = True
        for waiter in batch.waiters:
            self._lines.setdefault(self._key(waiter.request), _Line()).count += 1

    def _set_apart(self, waiter: _Waiter[Request, Result]) -> None:
        """Have its thread work on it alone. With the lock."""
        waiter.line = self._lines.setdefault(self._key(waiter.request), _Line())
        waiter.line.count += 1
        waiter.turn = _Turn.ALONE

    def _leave_line(self, waiter: _Waiter[Request, Result]) -> None:
        """The last one closes it. With the lock."""
        key = self._key(waiter.request)
        line = self._lines[key]
        line.count -= 1
        if line.count == 0:
            del self._lines[key]
