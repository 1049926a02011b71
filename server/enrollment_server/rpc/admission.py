"""Which calls are let in: as many as the queue takes, and none when the server stops."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc

from enrollment_server.errors import Overloaded, ShuttingDown
from enrollment_server.rpc.errors import Refusal, refusal

_LOOK = 0.01  # seconds between two looks at whether all calls have ended


class CallThreads(ThreadPoolExecutor):
    """The threads that answer calls; they know how many wait, and when the last has ended."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="rpc")
        # Sets, since to add to one and to take from it needs no lock, which all would want.
        self._waiting: set[object] = set()
        self._in_flight: set[object] = set()

    @property
    def waiting(self) -> int:
        """How many calls are without a thread."""
        return len(self._waiting)

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def run() -> Any:
            self._waiting.discard(run)
            try:
                return task(*args, **kwargs)
            finally:
                self._in_flight.discard(run)

        self._waiting.add(run)
        self._in_flight.add(run)
        return super().submit(run)

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
