"""Which calls are let in: as many as the queue takes, and none when the server stops."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import grpc

from enrollment_server.errors import Overloaded, ShuttingDown
from enrollment_server.rpc.errors import Refusal, refusal

logger = logging.getLogger(__name__)

Task: TypeAlias = Callable[[], object]

# What a submitted call has for a future.
DONE: Future[Any] = Future()
DONE.set_result(None)

_LOOK = 0.01  # seconds between two looks at whether all calls have ended
_TURN = 0.02  # seconds to wait for one's turn: longer than one should take


class CallThreads(Executor):
    """The threads that work on calls: at most so many, and no more awake than have to be.

    To wake a thread takes longer than most of what is done for a call. So a task waits for
    one that is awake and comes to it soon; only one that is about to block has another take
    its place.
    """

    def __init__(self, threads: int) -> None:
        self._most = threads
        self._lock = threading.Lock()  # of all that follows
        self._threads: set[threading.Thread] = set()
        self._asleep: list[threading.Lock] = []  # the last to fall asleep is the first to wake
        self._awake = 0  # those that take tasks: neither asleep nor blocked
        self._tasks: deque[Task] = deque()
        self._stopping = False
        self._turn = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether there is a task that waits, or is worked on."""
        with self._lock:
            return bool(self._tasks) or len(self._asleep) < len(self._threads)

    def run(self, task: Task) -> None:
        """Have a thread run this. It is not to wait for long but in `blocking`."""
        with self._lock:
            self._tasks.append(task)
            if self._awake < 1:
                self._wake_another()

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a thread run this; it may wait. The future is no use.

        gRPC only counts by it, if it is given a limit.
        """

        def blocking() -> None:
            with self.blocking():
                task(*args, **kwargs)

        self.run(blocking)
        return DONE

    @contextmanager
    def blocking(self) -> Iterator[None]:
        """Is entered by whoever waits for something, so that others need not wait for it."""
        if threading.current_thread() not in self._threads:
            yield
            return
        with self._lock:
            self._awake -= 1
            if self._tasks and self._awake < 1:
                self._wake_another()
        try:
            yield
        finally:
            with self._lock:
                self._awake += 1

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Is entered by whoever takes calls, or answers many, and waits for nothing.

        One of them at a time: side by side, they would hand over Python's lock several times
        for each call. That is all it is for. Should one be held up, by a log that nobody
        reads for instance, the others go on.
        """
        held = self._turn.acquire(timeout=_TURN)
        try:
            yield
        finally:
            if held:
                self._turn.release()

    def stop(self) -> None:
        """End the threads, each after what it is at."""
        with self._lock:
            self._stopping = True
            while self._asleep:
                self._wake_another()

    def _wake_another(self) -> None:
        """With the lock. If all are blocked, the first that is back takes the next task."""
        if self._asleep:
            self._awake += 1
            self._asleep.pop().release()
        elif len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name="rpc", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # No more can be had. Those there are will come to it; without any, the next
                # call may have more luck. To raise would end gRPC's thread that takes calls.
                logger.exception("%d threads work on calls", len(self._threads))
            else:
                self._awake += 1
                self._threads.add(thread)

    def _work(self) -> None:
        bell = threading.Lock()
        bell.acquire()
        while True:
            with self._lock:
                task = self._tasks.popleft() if self._tasks else None
                if task is None:
                    self._awake -= 1
                    if self._stopping:
                        return
                    self._asleep.append(bell)
            if task is None:
                bell.acquire()
                continue
            try:
                task()
            except BaseException:  # whatever it is, the thread is still good
                logger.exception("a call was lost")
            del task  # and the call with it: the next may be long in coming


class Admission:
    """Lets calls in while there are fewer than one for each thread, and `queue` that wait.

    gRPC's own limit, `maximum_concurrent_rpcs`, gives no reason and refuses health checks.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        self.threads = CallThreads(threads)
        self._most = threads
        self._queue = queue
        self._closed = False
        # Sets, since to add to one and to take from it needs no lock. A caller who has left, or
        # does not read its answer, keeps no place; work that nobody waits for any more does.
        self._unanswered: set[object] = set()
        self._unsent: set[object] = set()
        # Made once: there may be many who are refused, and nothing else is to suffer.
        self._overloaded = refusal(Overloaded())
        self._shutting_down = refusal(ShuttingDown())

    @property
    def waiting(self) -> int:
        """How many calls there are beyond one for each thread."""
        return max(len(self._unanswered) - self._most, 0)

    def close(self) -> None:
        """Let no call in any more."""
        self._closed = True

    def refusal(self) -> Refusal | None:
        """What the call that has just arrived is told; None if it is let in."""
        if self._closed:
            return self._shutting_down
        if len(self._unanswered) >= self._most + self._queue:
            return self._overloaded
        return None

    def hold(self, context: grpc.ServicerContext) -> None:
        """Count this call as in flight: until `answered`, and until gRPC has sent its answer."""
        self._unanswered.add(context)
        self._unsent.add(context)
        if not context.add_callback(partial(self._unsent.discard, context)):
            self._unsent.discard(context)

    def answered(self, context: grpc.ServicerContext) -> None:
        """Nothing more is to be done for this call, but to send its answer."""
        self._unanswered.discard(context)

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait, so many seconds at most, until no call is in flight; returns whether."""
        end = time.monotonic() + timeout
        while self._busy() and time.monotonic() < end:
            time.sleep(_LOOK)
        return not self._busy()

    def _busy(self) -> bool:
        return bool(self._unanswered or self._unsent or self.threads.busy)
