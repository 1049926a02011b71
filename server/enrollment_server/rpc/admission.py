"""How many calls may wait for a thread: more are refused at once, before any work."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias, cast

import grpc

from enrollment_server.errors import Overloaded
from enrollment_server.rpc.errors import refuse, send_error_alone

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class CountingThreadPool(ThreadPoolExecutor):
    """A thread pool that knows how many of its tasks have not begun."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="rpc")
        self._lock = threading.Lock()
        self.waiting = 0

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def begin() -> Any:
            with self._lock:
                self.waiting -= 1
            return task(*args, **kwargs)

        with self._lock:
            self.waiting += 1
        return super().submit(begin)


class Admission(grpc.ServerInterceptor):
    """Refuses calls of one service while `limit` calls wait for a thread of the pool.

    gRPC's own limit, `maximum_concurrent_rpcs`, gives no reason and refuses health checks.
    """

    def __init__(self, service: str, pool: CountingThreadPool, limit: int) -> None:
        self._prefix = f"/{service}/"
        self._pool = pool
        self._limit = limit
        self._refusal = _refusal()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        # This runs in the one thread that takes calls from the port, before they queue.
        ours = handler_call_details.method.startswith(self._prefix)
        if ours and self._pool.waiting >= self._limit:
            return self._refusal
        return continuation(handler_call_details)


def _refusal() -> Handler:
    """A method that refuses every call."""

    def behavior(_request: bytes, context: Any) -> None:
        refuse(context, Overloaded())
        send_error_alone(context)

    # A thread of its own: a refusal that queues behind the calls would not be at once.
    thread = ThreadPoolExecutor(1, thread_name_prefix="refuse")
    cast(Any, behavior).experimental_thread_pool = thread
    return grpc.unary_unary_rpc_method_handler(behavior)
