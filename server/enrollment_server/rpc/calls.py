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
from enrollment_server.errors import InvalidRequest, Violation
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
        self.admission = admission
        self.guard = guard
        self.observer = observer
        self.tracer = tracer
        self.silence = silence
        self._prefix = f"/{service}/"
        self._handlers: dict[str, Handler] = {}  # of our methods, made once for all calls
        # Those of one server are numbers: to make each by chance takes longer than a statement.
        self._request_ids = map((secrets.token_hex(8) + "-{}").format, itertools.count(1))

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        # This runs in the one thread that takes calls from the port.
        handler = continuation(handler_call_details)
        path = handler_call_details.method
        if not path.startswith(self._prefix):
            return self.silence.heard(handler)
        if handler is None:
            return None
        if path not in self._handlers:
            method = path.removeprefix(self._prefix)
            self._handlers[path] = unary_call_handler(
                lambda unary: _Arrived(self, method, handler, unary).begin()
            )
        return self._handlers[path]

    def call(self, method: str, metadata: Metadata) -> Call:
        """What is known of a call that arrives with this metadata."""
        request_id = trace_id = ""
        for key, value in metadata:
            if key == REQUEST_ID_KEY and isinstance(value, str) and is_id(value):
                request_id = value
            elif key == "traceparent" and (found := _TRACEPARENT.fullmatch(str(value))):
                trace_id = found[1]
        return Call(method, request_id or next(self._request_ids), trace_id)


class _Arrived:
    """A call that has arrived, and what becomes of it, step by step."""

    __slots__ = ("_call", "_calls", "_context", "_handler", "_since", "_unary")

    def __init__(self, calls: Calls, method: str, handler: Any, unary: UnaryCall) -> None:
        self._since = time.monotonic()
        self._calls = calls
        self._call = calls.call(method, unary.metadata)
        self._handler = handler
        self._unary = unary
        self._context = unary.context

    def begin(self) -> None:
        """In the thread that takes calls."""
        admission = self._calls.admission
        with admission.threads.undisturbed():
            self._calls.observer.started(self._call.method)
            refused = admission.refusal()
            if refused is not None:
                # As cheaply as can be, for there may be many: without waiting for the request.
                refuse(self._context, refused)
                self._finish()
                self._unary.answer(None)
                return
            admission.hold(self._context)
            self._calls.silence.begins(self._context)
            self._unary.receive(self._received)

    def _received(self, encoded: bytes | None) -> None:
        """In the thread that takes calls. What bytes mean is not for it to find out."""
        admission = self._calls.admission
        with admission.threads.undisturbed():
            self._calls.silence.ends(self._context)
            if encoded is None and not self._context.is_active():  # the caller left without one
                admission.answered(self._context)
                self._finish()
                return
            # Of a request with nothing in it, there is nothing.
            answer = self._answer(encoded or b"")
            admission.threads.run(partial(coroutines.start, answer))

    async def _answer(self, encoded: bytes) -> None:
        response = b""
        try:
            tracer = self._calls.tracer
            with tracer.span(self._call, self._unary.metadata) if tracer else nullcontext():
                response = await self._respond(encoded)
                self._finish(len(response))
        except BaseException as error:  # noqa: BLE001 - whatever it is, somebody waits
            refuse(self._context, refusal(error))
        self._calls.admission.answered(self._context)
        refused = self._context.code() not in (None, grpc.StatusCode.OK)
        self._unary.answer(None if refused else response)

    async def _respond(self, encoded: bytes) -> bytes:
        call, guard = self._call, self._calls.guard
        call.request_size = len(encoded)
        try:
            if guard is not None:
                call.caller = guard.name(self._context, self._unary.metadata)
                guard.check(call.caller, call.method)
            request = _decode(self._handler, encoded)
            call.student_id = request.student_id if is_id(request.student_id) else ""
            answer = await coroutine_of(self._handler.unary_unary, request, self._context)
            response: bytes = self._handler.response_serializer(answer)
        except Exception as error:  # noqa: BLE001 - a defect is answered, too
            refuse(self._context, refusal(error))
            return b""
        return response

    def _finish(self, response_size: int = 0) -> None:
        """Note how the call ended, and tell of it."""
        call, context = self._call, self._context
        trailers = tuple(context.trailing_metadata() or ())
        context.set_trailing_metadata((*trailers, (REQUEST_ID_KEY, call.request_id)))
        code = context.code() or grpc.StatusCode.OK
        call.seconds = round(time.monotonic() - self._since, 6)
        if code is grpc.StatusCode.OK:
            call.response_size = response_size
        else:
            call.reason = reason_of(trailers)
        # The caller may have left, and found a status of its own.
        call.code = code.name if context.is_active() else grpc.StatusCode.CANCELLED.name
        call.end_time = time.time()
        self._calls.observer.ended(call)


def _decode(handler: Any, encoded: bytes) -> Any:
    """The message. Raises InvalidRequest; gRPC would say INTERNAL, as if the server failed."""
    try:
        return handler.request_deserializer(encoded)
    except DecodeError:
        raise InvalidRequest(
            "The request cannot be decoded: it is damaged, or of another type.",
            [Violation("", "cannot be decoded")],
        ) from None
