"""The one place where an exception becomes a gRPC status.

Every error is a `google.rpc.Status` in `grpc-status-details-bin`, with an ErrorInfo and,
for a malformed request, a BadRequest (AIP-193).
"""

import functools
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar, cast

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from enrollment_server import coroutines, errors

DOMAIN = "enrollment.v1"
DETAILS_KEY = "grpc-status-details-bin"

_CODES = {
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.PageTokenInvalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.StudentNotFound: grpc.StatusCode.NOT_FOUND,
    errors.CourseNotFound: grpc.StatusCode.NOT_FOUND,
    errors.CourseNotAssociated: grpc.StatusCode.NOT_FOUND,
    errors.DatabaseUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.ShuttingDown: grpc.StatusCode.UNAVAILABLE,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
}

logger = logging.getLogger(__name__)

Servicer = TypeVar("Servicer")
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Method = Callable[[Servicer, Request, grpc.ServicerContext], Response]
CoroutineMethod = Callable[[Servicer, Request, grpc.ServicerContext], Awaitable[Response]]


def answers(
    response: type[Response],
) -> Callable[[CoroutineMethod[Servicer, Request, Response]], Method[Servicer, Request, Response]]:
    """Make a method of a servicer from a coroutine: what it raises is the status of the call.

    It sets the status and returns, and does not abort: `grpcio-testing` would lose the
    details. The method waits for its answer, as gRPC has it; for `enrollment_server.rpc.calls`,
    which need not, there is `coroutine_of`.
    """

    def decorate(
        method: CoroutineMethod[Servicer, Request, Response],
    ) -> Method[Servicer, Request, Response]:
        async def coroutine(
            self: Servicer, request: Request, context: grpc.ServicerContext
        ) -> Response:
            try:
                return await method(self, request, context)
            except Exception as error:  # noqa: BLE001 - a defect is answered, too
                refuse(context, refusal(error))
            return response()

        @functools.wraps(method)
        def wrapper(self: Servicer, request: Request, context: grpc.ServicerContext) -> Response:
            return coroutines.wait(coroutine(self, request, context))

        cast(Any, wrapper).coroutine = coroutine
        return wrapper

    return decorate


def coroutine_of(
    method: Any, request: Any, context: grpc.ServicerContext
) -> Coroutine[coroutines.Pause, None, Any]:
    """A call of a servicer's method that does not wait for its answer."""
    coroutine: Coroutine[coroutines.Pause, None, Any]
    coroutine = method.coroutine(method.__self__, request, context)
    return coroutine


class Refusal(NamedTuple):
    """The status of a call, and its details as metadata."""

    code: grpc.StatusCode
    message: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def refusal(error: BaseException) -> Refusal:
    """What this error is to a caller. That of a defect is an id, which the log has, too."""
    if not isinstance(error, errors.EnrollmentError):
        error_id = uuid.uuid4().hex
        logger.error("error %s", error_id, exc_info=error)
        return failure(error_id)
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    details: list[Message] = [info]
    if isinstance(error, errors.InvalidRequest):
        details.append(
            BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(field=field, description=description)
                    for field, description in error.violations
                ]
            )
        )
    return _refusal(_CODES[type(error)], error.message, details)


def failure(error_id: str) -> Refusal:
    """What a defect is to a caller: the rest is in the log, for whoever runs the server."""
    info = ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"error_id": error_id})
    message = f"The server failed; its log tells more under {error_id}."
    return _refusal(grpc.StatusCode.INTERNAL, message, [info])


def _refusal(code: grpc.StatusCode, message: str, details: list[Message]) -> Refusal:
    status = Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return Refusal(code, message, ((DETAILS_KEY, status.SerializeToString()),))


def refuse(context: grpc.ServicerContext, refusal: Refusal) -> None:
    """Set the status of the call."""
    context.set_code(refusal.code)
    context.set_details(refusal.message)
    context.set_trailing_metadata(refusal.trailing_metadata)


@functools.lru_cache(maxsize=16)  # when many are refused, it is for the same reason
def reason_of(trailing_metadata: tuple[tuple[str, str | bytes], ...]) -> str:
    """The reason that a refusal's metadata gives."""
    status, info = Status(), ErrorInfo()
    for key, value in trailing_metadata:
        if key == DETAILS_KEY and isinstance(value, bytes):
            status.ParseFromString(value)
            status.details[0].Unpack(info)
    return str(info.reason)
