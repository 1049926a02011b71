"""What is done for every call of our service, around the method that answers it.

A call is let in or refused, before any work; its caller is known and may do what it asks;
its bytes are decoded; the method runs; its answer is sent, and told to the observer.
"""

import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any, Protocol, cast

import grpc
from google.protobuf.message import DecodeError

from enrollment_server.calls import Call, Metadata, Observer, Tracer
from enrollment_server.domain import is_id
from enrollment_server.errors import InvalidRequest, Violation
from enrollment_server.rpc.admission import DONE, Admission
from enrollment_server.rpc.errors import Refusal, reason_of, refusal, refuse
from enrollment_server.rpc.silence import Handler, Silence

REQUEST_ID_KEY = "x-request-id"

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Guard(Protocol):
    """Knows who may call what."""

    def name(self, context: grpc.ServicerContext, metadata: Metadata) -> str:
        """Who calls. Raises Unauthenticated."""

    def check(self, caller: str, method: str) -> None:
        """Raises PermissionDenied unless this caller may call this method."""


class Calls(grpc.ServerInterceptor):
    """Stands before the methods of one service; of others, it only ends silent calls."""

    def __init__(
        self,
        service: str,
        admission: Admission,
        guard: Guard | None,
        observer: Observer,
        tracer: Tracer | None,
        silence: Silence,
    ) -> None:
        self._prefix = f"/{service}/"
        self._admission = admission
        self._guard = guard
        self._observer = observer
        self._tracer = tracer
        self._silence = silence
        self._this_thread = _ThisThread()
        # Those of one server are numbers: to make each by chance takes longer than a statement.
        self._request_ids = map((secrets.token_hex(8) + "-{}").format, itertools.count(1))

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        # This runs in the one thread that takes calls from the port, before they queue.
        handler = continuation(handler_call_details)
        if not handler_call_details.method.startswith(self._prefix):
            return self._silence.heard(handler)
        if handler is None:
            return None
        arrived = time.monotonic()
        metadata = handler_call_details.invocation_metadata
        call = self._call(handler_call_details.method.removeprefix(self._prefix), metadata)
        self._observer.started(call.method)
        refused = self._admission.refusal()
        if refused is not None:
            # As cheaply as can be, for there may be many: in this thread, and without
            # waiting for the request. To the server, a request is a stream of one.
            turn_away = partial(self._turn_away, call, arrived, refused)
            cast(Any, turn_away).experimental_thread_pool = self._this_thread
            return grpc.stream_unary_rpc_method_handler(turn_away)
        # Bytes go in and out: what they mean is not for this thread to find out. A stream of
        # one, too: gRPC would keep a thread waiting for the request of whoever it is.
        return grpc.stream_unary_rpc_method_handler(
            partial(self._answer, call, arrived, metadata, handler)
        )

    def _call(self, method: str, metadata: Metadata) -> Call:
        request_id = trace_id = ""
        for key, value in metadata:
            if key == REQUEST_ID_KEY and isinstance(value, str) and is_id(value):
                request_id = value
            elif key == "traceparent" and (found := _TRACEPARENT.fullmatch(str(value))):
                trace_id = found[1]
        return Call(method, request_id or next(self._request_ids), trace_id)

    def _turn_away(
        self, call: Call, arrived: float, refused: Refusal, _requests: object, context: Any
    ) -> None:
        refuse(context, refused)
        self._finish(call, arrived, context)
        _send_error_alone(context)

    def _answer(
        self,
        call: Call,
        arrived: float,
        metadata: Metadata,
        handler: Any,
        requests: Iterator[bytes],
        context: Any,
    ) -> bytes:
        try:
            with self._tracer.span(call, metadata) if self._tracer else nullcontext():
                response = self._respond(call, metadata, handler, requests, context)
                self._finish(call, arrived, context, len(response))
        finally:
            self._admission.threads.hold(context)
        _send_error_alone(context)
        return response

    def _respond(
        self, call: Call, metadata: Metadata, handler: Any, requests: Iterator[bytes], context: Any
    ) -> bytes:
        try:
            if self._guard is not None:
                call.caller = self._guard.name(context, metadata)
                self._guard.check(call.caller, call.method)
            # Of a request with nothing in it, there is nothing.
            encoded = self._silence.request_of(requests, context) or b""
            call.request_size = len(encoded)
            request = _decode(handler, encoded)
        except grpc.RpcError:  # the caller left, or was silent for too long
            return b""
        except Exception as error:  # noqa: BLE001 - a defect is answered, too
            refuse(context, refusal(error))
            return b""
        call.student_id = request.student_id if is_id(request.student_id) else ""
        response: bytes = handler.response_serializer(handler.unary_unary(request, context))
        return response

    def _finish(self, call: Call, arrived: float, context: Any, response_size: int = 0) -> None:
        """Note how the call ended, and tell of it."""
        trailers = tuple(context.trailing_metadata() or ())
        context.set_trailing_metadata((*trailers, (REQUEST_ID_KEY, call.request_id)))
        code = context.code() or grpc.StatusCode.OK
        call.seconds = round(time.monotonic() - arrived, 6)
        if code is grpc.StatusCode.OK:
            call.response_size = response_size
        else:
            call.reason = reason_of(trailers)
        # The caller may have left, and found a status of its own.
        call.code = code.name if context.is_active() else grpc.StatusCode.CANCELLED.name
        call.end_time = time.time()
        self._observer.ended(call)


def _send_error_alone(context: Any) -> None:
    """End the call here if it has an error for its status, and send nothing but that.

    gRPC would send the method's response too, and a client that has seen headers does not
    retry (gRFC A6).
    """
    code = context.code()
    if code not in (None, grpc.StatusCode.OK):
        context.abort(code, context.details())


def _decode(handler: Any, encoded: bytes) -> Any:
    """The message. Raises InvalidRequest; gRPC would say INTERNAL, as if the server failed."""
    try:
        return handler.request_deserializer(encoded)
    except DecodeError:
        raise InvalidRequest(
            "The request cannot be decoded: it is damaged, or of another type.",
            [Violation("", "cannot be decoded")],
        ) from None


class _ThisThread(ThreadPoolExecutor):
    """Runs what is submitted in the thread that submits it."""

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        task(*args, **kwargs)
        return DONE
