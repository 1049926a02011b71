"""Which calls are let in: as many as the queue takes, and none when the server stops."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc

from enrollment_server.errors import Overloaded, ShuttingDown
from enrollment_server.rpc.errors import Refusal, refusal


class CallThreads(ThreadPoolExecutor):
    """The threads that answer calls; they know how many wait, and when the last has ended."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="rpc")
        self._changed = threading.Condition()
        self._in_flight = 0
        self.waiting = 0  # calls without a thread

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def run() -> Any:
            with self._changed:
                self.waiting -= 1
            try:
                return task(*args, **kwargs)
            finally:
                self._end()

        with self._changed:
            self.waiting += 1
            self._in_flight += 1
        return super().submit(run)

    def hold(self, context: grpc.ServicerContext) -> None:
        """Count this call as in flight until gRPC has sent its answer, after its task."""
        with self._changed:
            self._in_flight += 1
        if not context.add_callback(self._end):
            self._end()

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait, so many seconds at most, until no call is in flight; returns whether."""
        with self._changed:
            return self._changed.wait_for(lambda: self._in_flight == 0, timeout)

    def _end(self) -> None:
        with self._changed:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._changed.notify_all()


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
