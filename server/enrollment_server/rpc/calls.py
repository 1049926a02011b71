"""What is done for every call of our service, around the method that answers it.

A call is let in or refused, before any work; its caller is known and may do what it asks;
its bytes are decoded; the method runs; its answer is sent, and told to the observer.
"""

import itertools
import re
import secrets
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError

from enrollment_server import coroutines
from enrollment_server.calls import Call, Metadata, Observer, Tracer
from enrollment_server.domain import is_id
from enrollment_server.errors import EnrollmentError, InvalidRequest, Violation
from enrollment_server.rpc.admission import Admission
from enrollment_server.rpc.errors import coroutine_of, reason_of, refusal, refuse
from enrollment_server.rpc.silence import Handler, Silence
from enrollment_server.rpc.unary import UnaryCall, unary_call_handler

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
        return unary_call_handler(partial(self._begin, call, arrived, metadata, handler))

    def _call(self, method: str, metadata: Metadata) -> Call:
        request_id = trace_id = ""
        for key, value in metadata:
            if key == REQUEST_ID_KEY and isinstance(value, str) and is_id(value):
                request_id = value
            elif key == "traceparent" and (found := _TRACEPARENT.fullmatch(str(value))):
                trace_id = found[1]
        return Call(method, request_id or next(self._request_ids), trace_id)

    def _begin(
        self, call: Call, arrived: float, metadata: Metadata, handler: Any, unary: UnaryCall
    ) -> None:
        """In the thread that takes calls, as the rest up to `_answer`."""
        refused = self._admission.refusal()
        if refused is not None:
            # As cheaply as can be, for there may be many: without waiting for the request.
            refuse(unary.context, refused)
            self._finish(call, arrived, unary.context)
            unary.answer(None)
            return
        self._admission.hold(unary.context)
        self._silence.begins(unary.context)
        unary.receive(partial(self._received, call, arrived, metadata, handler, unary))

    def _received(
        self,
        call: Call,
        arrived: float,
        metadata: Metadata,
        handler: Any,
        unary: UnaryCall,
        encoded: bytes | None,
    ) -> None:
        self._silence.ends(unary.context)
        # Of a request with nothing in it, there is nothing.
        call.request_size = len(encoded or b"")
        answer = self._answer(call, arrived, metadata, handler, encoded or b"", unary)
        self._admission.threads.run(partial(coroutines.start, answer))

    async def _answer(
        self,
        call: Call,
        arrived: float,
        metadata: Metadata,
        handler: Any,
        encoded: bytes,
        unary: UnaryCall,
    ) -> None:
        context = unary.context
        response = b""
        try:
            with self._tracer.span(call, metadata) if self._tracer else nullcontext():
                response = await self._respond(call, metadata, handler, encoded, context)
                self._finish(call, arrived, context, len(response))
        except Exception as error:  # noqa: BLE001 - a defect is answered, too
            refuse(context, refusal(error))
        unary.answer(response if context.code() in (None, grpc.StatusCode.OK) else None)

    async def _respond(
        self, call: Call, metadata: Metadata, handler: Any, encoded: bytes, context: Any
    ) -> bytes:
        try:
            if self._guard is not None:
                call.caller = self._guard.name(context, metadata)
                self._guard.check(call.caller, call.method)
            # What bytes mean is not for the thread that takes calls to find out.
            request = _decode(handler, encoded)
        except EnrollmentError as error:
            refuse(context, refusal(error))
            return b""
        call.student_id = request.student_id if is_id(request.student_id) else ""
        answer = await coroutine_of(handler.unary_unary, request, context)
        response: bytes = handler.response_serializer(answer)
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


def _decode(handler: Any, encoded: bytes) -> Any:
    """The message. Raises InvalidRequest; gRPC would say INTERNAL, as if the server failed."""
    try:
        return handler.request_deserializer(encoded)
    except DecodeError:
        raise InvalidRequest(
            "The request cannot be decoded: it is damaged, or of another type.",
            [Violation("", "cannot be decoded")],
        ) from None
