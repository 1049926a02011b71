"""Calls whose request does not come: each keeps a thread, so they are ended.

gRPC starts a call when its headers come, and has a thread wait for the request, however long.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import grpc

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class Silence:
    """Knows the calls whose request has yet to come."""

    def __init__(self) -> None:
        self._since: dict[grpc.ServicerContext, float] = {}

    @contextmanager
    def waiting(self, context: grpc.ServicerContext) -> Iterator[None]:
        """The request of this call is waited for."""
        self._since[context] = time.monotonic()
        try:
            yield
        finally:
            del self._since[context]

    def end(self, after: float) -> None:
        """Cancel those that have been waited for so many seconds, and more."""
        now = time.monotonic()
        for context, since in list(self._since.items()):
            if now - since >= after:
                context.cancel()

    def heard(self, handler: Any) -> Handler:
        """The same method, which waits for its one request here."""
        if handler is None or handler.request_streaming:
            return cast(Handler, handler)  # it may be silent for as long as it likes
        make, behavior = (
            (grpc.stream_stream_rpc_method_handler, handler.unary_stream)
            if handler.response_streaming
            else (grpc.stream_unary_rpc_method_handler, handler.unary_unary)
        )
        heard: Any = make  # the two of them take the same
        return cast(
            Handler,
            heard(self._heard(behavior), handler.request_deserializer, handler.response_serializer),
        )

    def _heard(self, behavior: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(requests: Iterator[Any], context: Any, *rest: Any) -> Any:
            with self.waiting(context):
                request = next(requests, None)
            if request is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "There is no request.")
            return behavior(request, context, *rest)

        for name in ("experimental_thread_pool", "experimental_non_blocking"):
            if hasattr(behavior, name):
                setattr(wrapper, name, getattr(behavior, name))
        return wrapper
