"""Which calls are let in: as many as the queue takes, and none when the server stops.

The others are refused at once, before any work.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias, cast

import grpc

from enrollment_server.errors import EnrollmentError, Overloaded, ShuttingDown
from enrollment_server.rpc.errors import refusal, refuse, send_error_alone

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


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


class Admission(grpc.ServerInterceptor):
    """Lets calls of one service in while fewer than `queue` of them wait for a thread.

    gRPC's own limit, `maximum_concurrent_rpcs`, gives no reason and refuses health checks.
    """

    def __init__(self, service: str, *, threads: int, queue: int) -> None:
        self.threads = CallThreads(threads)
        self._prefix = f"/{service}/"
        self._queue = queue
        self._closed = False
        self._overloaded = _refusing(Overloaded())
        self._shutting_down = _refusing(ShuttingDown())

    def close(self) -> None:
        """Let no call in any more."""
        self._closed = True

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        # This runs in the one thread that takes calls from the port, before they queue.
        if handler_call_details.method.startswith(self._prefix):
            if self._closed:
                return self._shutting_down
            if self.threads.waiting >= self._queue:
                return self._overloaded
        return continuation(handler_call_details)


class _AtOnce(ThreadPoolExecutor):
    """No threads: what is submitted runs in the thread that submits it."""

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(task(*args, **kwargs))
        return done


def _refusing(error: EnrollmentError) -> Handler:
    """A method that refuses every call, as cheaply as can be: there may be many.

    It runs in the thread that takes calls from the port, and does not wait for the request:
    to the server, a request is a stream of one.
    """
    answer = refusal(error)

    def behavior(_requests: object, context: Any) -> None:
        refuse(context, answer)
        send_error_alone(context)

    cast(Any, behavior).experimental_thread_pool = _AtOnce()
    return grpc.stream_unary_rpc_method_handler(behavior)
