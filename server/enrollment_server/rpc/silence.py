"""Calls whose request does not come are ended.

gRPC starts a call when its headers come, and waits for the request, however long: those of
its own services keep a thread meanwhile, and ours a place among the calls that are let in.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

import grpc

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class Silence:
    """Knows the calls whose request has yet to come."""

    def __init__(self) -> None:
        self._since: dict[grpc.ServicerContext, float] = {}

    def begins(self, context: grpc.ServicerContext) -> None:
        """The request of this call has yet to come."""
        self._since[context] = time.monotonic()

    def ends(self, context: grpc.ServicerContext) -> None:
        """It has come, or none will."""
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
            self.begins(context)
            try:
                request = next(requests, None)
            finally:
                self.ends(context)
            if request is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "There is no request.")
            return behavior(request, context, *rest)

        for name in ("experimental_thread_pool", "experimental_non_blocking"):
            if hasattr(behavior, name):
                setattr(wrapper, name, getattr(behavior, name))
        return wrapper
