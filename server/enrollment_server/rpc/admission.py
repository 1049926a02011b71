"""Which calls are let in: as many as the queue takes, and none when the server stops."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeAlias

import grpc

from enrollment_server.errors import Overloaded, ShuttingDown
from enrollment_server.rpc.errors import Refusal, refusal

logger = logging.getLogger(__name__)

Task: TypeAlias = Callable[[], object]

# What a submitted call has for a future: gRPC only counts by it, if it is given a limit.
DONE: Future[Any] = Future()
DONE.set_result(None)

_LOOK = 0.01  # seconds between two looks at whether all calls have ended


class CallThreads(Executor):
    """The threads that answer calls; they know how many wait, and when the last has ended.

    It does the same as ThreadPoolExecutor for less of the one thread that takes all calls.
    """

    def __init__(self, threads: int) -> None:
        self._most = threads
        self._threads: list[threading.Thread] = []
        self._queue: SimpleQueue[Task | None] = SimpleQueue()
        # Sets, since to add to one and to take from it needs no lock, which all would want.
        self._waiting: set[object] = set()
        self._in_flight: set[object] = set()

    @property
    def waiting(self) -> int:
        """How many calls are without a thread."""
        return len(self._waiting)

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a thread run this. The future is no use: gRPC only counts by it, if it has to."""
        one = partial(task, *args, **kwargs)
        self._waiting.add(one)
        self._in_flight.add(one)
        self._queue.put(one)
        if len(self._threads) < min(len(self._in_flight), self._most):
            self._start_another()
        return DONE

    def hold(self, context: grpc.ServicerContext) -> None:
        """Count this call as in flight until gRPC has sent its answer, after its task."""
        self._in_flight.add(context)
        if not context.add_callback(partial(self._in_flight.discard, context)):
            self._in_flight.discard(context)

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait, so many seconds at most, until no call is in flight; returns whether."""
        end = time.monotonic() + timeout
        while self._in_flight and time.monotonic() < end:
            time.sleep(_LOOK)
        return not self._in_flight

    def stop(self) -> None:
        """End the threads, each after what it is at."""
        for _ in self._threads:
            self._queue.put(None)

    def _start_another(self) -> None:
        thread = threading.Thread(target=self._work, name="rpc", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No more can be had. Those there are will come to it; without any, the next call
            # may have more luck. To raise would end the thread of gRPC's that takes calls.
            logger.exception("%d threads answer calls", len(self._threads))
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while one := self._queue.get():
            self._waiting.discard(one)
            try:
                one()
            except BaseException:  # whatever it is, the thread is still good
                logger.exception("a call was lost")
            finally:
                self._in_flight.discard(one)
            del one  # and the call with it: the next may be long in coming


class Admission:
    """Lets calls in while fewer than `queue` of them wait for a thread.

    gRPC's own limit, `maximum_concurrent_rpcs`, gives no reason and refuses health checks.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        self.threads = CallThreads(threads)
        self._queue = queue
        self._closed = False
        # Made once: there may be many who are refused, and nothing else is to suffer.
        self._overloaded = refusal(Overloaded())
        self._shutting_down = refusal(ShuttingDown())

    def close(self) -> None:
        """Let no call in any more."""
        self._closed = True

    def refusal(self) -> Refusal | None:
        """What the call that has just arrived is told; None if it is let in."""
        if self._closed:
            return self._shutting_down
        if self.threads.waiting >= self._queue:
            return self._overloaded
        return None
