"""A batcher, work for it that can be held and locked, and callers."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from enrollment_server import kept_out
from enrollment_server.batching import Batcher
from enrollment_server.coroutines import wait
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import DeadlineExceeded, Locked
from enrollment_server.rpc.admission import CallThreads
from tests.support.waiting import wait_until


class Work:
    """What is done for requests, which are texts: it answers in capitals, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.deadlines: list[Deadline] = []
        self.gates: dict[str, threading.Event] = {}
        self.locked: dict[str, threading.Event] = {}
        self.errors: dict[str, Exception] = {}
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def hold(self, request: str) -> threading.Event:
        """Have what this request is in wait until the event is set."""
        return self.gates.setdefault(request, threading.Event())

    def lock(self, request: str) -> threading.Event:
        """Have others lock what this request needs until the event is set."""
        return self.locked.setdefault(request, threading.Event())

    def lock_all(self, requests: Sequence[str]) -> None:
        for request in requests:
            self.lock(request)

    def unlock_all(self) -> None:
        for locked in self.locked.values():
            locked.set()

    def __call__(self, requests: Sequence[str], deadline: Deadline) -> list[str]:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._do(requests, deadline)
        finally:
            with self._lock:
                self._at_once -= 1

    def _do(self, requests: Sequence[str], deadline: Deadline) -> list[str]:
        self.deadlines.append(deadline)
        self.batches.append(list(requests))
        if deadline.over:
            raise DeadlineExceeded
        for request in requests:
            if request in self.gates:
                assert self.gates[request].wait(10)
            if request in self.locked and not self.locked[request].wait(0.001):
                raise Locked
            if request in self.errors:
                raise self.errors[request]
        return [request.upper() for request in requests]


@pytest.fixture
def work() -> Work:
    return Work()


class Waiting:
    """A batcher, and threads that wait for its answers."""

    def __init__(self, batcher: Batcher[str, str], threads: ThreadPoolExecutor) -> None:
        self.batcher = batcher
        self._threads = threads

    def answer(self, request: str, deadline: Deadline = NEVER) -> str:
        return wait(self.batcher.answer(request, deadline))

    def begin(self, request: str, deadline: Deadline = NEVER) -> "Future[str]":
        return self._threads.submit(self.answer, request, deadline)

    def forgot_everything(self) -> bool:
        """Whether nothing is kept out of batches, when what was locked is forgotten."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kept_out, "MEMORY", 0)
            self.batcher.look()
        return self.batcher._kept_out._keys == {}

    def begin_behind(
        self, first: str, *others: str, deadline: Deadline = NEVER
    ) -> "list[Future[str]]":
        """Has one request worked on, and the others wait behind it."""
        futures = [self.begin(first)]
        wait_until(lambda: bool(self.batcher._batch))
        for count, request in enumerate(others, 1):
            futures.append(self.begin(request, deadline))
            wait_until(lambda count=count: len(self.batcher._waiting) == count)  # type: ignore[misc]
        return futures


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


@pytest.fixture
def call_threads() -> Iterator[CallThreads]:
    threads = CallThreads(40)
    yield threads
    threads.stop()


def results(futures: "list[Future[str]]") -> list[str]:
    return [future.result(timeout=10) for future in futures]


MakeBatcher = Callable[..., Waiting]


@pytest.fixture
def batcher_of(threads: ThreadPoolExecutor, call_threads: CallThreads) -> MakeBatcher:
    def make(work: Work, size: int = 100) -> Waiting:
        batcher = Batcher[str, str](
            work,
            keys=lambda request: request[0],
            threads=call_threads,
            size=size,
            took=lambda _size: None,
        )
        return Waiting(batcher, threads)

    return make


@pytest.fixture
def waiting(work: Work, batcher_of: MakeBatcher) -> Waiting:
    return batcher_of(work)


class Leaving:
    """A caller who waits until told to leave."""

    def __init__(self) -> None:
        self._left = threading.Event()
        self.deadline = Deadline(60, lambda: not self._left.is_set())

    def leave(self) -> None:
        self._left.set()
