"""What can go wrong with a call, as exceptions.

EnrollmentError
├── InvalidArgument
│   └── PageTokenInvalid
├── NotFound
│   ├── StudentNotFound
│   ├── CourseNotFound
│   └── CourseNotAssociated
├── Unauthenticated
├── PermissionDenied
├── Unavailable
├── DeadlineExceeded
├── Cancelled
├── Aborted
├── ResourceExhausted
└── Internal
"""

from collections.abc import Mapping
from typing import NamedTuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

_DOMAIN = "enrollment.v1"
_DETAILS_KEY = "grpc-status-details-bin"


class Violation(NamedTuple):
    """One thing wrong with a request: where, as a field path, and what."""

    field: str
    description: str


class EnrollmentError(Exception):
    """A call that did not succeed."""

    rpc_error: grpc.RpcError
    """What gRPC raised."""
    code: grpc.StatusCode
    reason: str
    """A value of the contract's ErrorReason, without its prefix; empty if the error did not
    come from the service itself but from gRPC, a proxy, or the network."""
    message: str
    """A sentence for people."""
    metadata: Mapping[str, str]
    """The values that the message speaks of."""
    request_id: str
    """By which the call is found in the server's log."""

    def __init__(
        self,
        rpc_error: grpc.RpcError,
        code: grpc.StatusCode,
        message: str,
        details: "_Details",
        request_id: str,
    ) -> None:
        super().__init__(f"{details.info.reason or code.name}: {message}")
        self.rpc_error = rpc_error
        self.code = code
        self.reason = details.info.reason
        self.message = message
        self.metadata = dict(details.info.metadata)
        self.request_id = request_id
        self._violations = tuple(
            Violation(violation.field, violation.description)
            for violation in details.bad_request.field_violations
        )


class InvalidArgument(EnrollmentError):
    """The request is malformed; it will not get better by being repeated."""

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Everything that is wrong with it."""
        return self._violations


class PageTokenInvalid(InvalidArgument):
    """The page token was altered, or belongs to another student."""


class NotFound(EnrollmentError):
    """Something that the call names does not exist."""


class StudentNotFound(NotFound):
    """There is no such student."""

    @property
    def student_id(self) -> str:
        return self.metadata["student_id"]


class CourseNotFound(NotFound):
    """There are no such courses; nothing was associated."""

    @property
    def course_ids(self) -> tuple[str, ...]:
        """Every unknown course of the call."""
        return tuple(self.metadata["course_ids"].split(","))


class CourseNotAssociated(NotFound):
    """The student does not take the course."""

    @property
    def student_id(self) -> str:
        return self.metadata["student_id"]

    @property
    def course_id(self) -> str:
        return self.metadata["course_id"]


class Unauthenticated(EnrollmentError):
    """The server does not know who calls: the token or the certificate is missing or not valid."""


class PermissionDenied(EnrollmentError):
    """The caller may not do this; `metadata["role"]` is the role that it takes."""


class Unavailable(EnrollmentError):
    """The service or its database cannot be reached, also after the retries; try later."""


class DeadlineExceeded(EnrollmentError):
    """The timeout passed first. Whether a change was made is not known; it may be repeated."""


class Cancelled(EnrollmentError):
    """The call was cancelled, or its channel closed."""


class Aborted(EnrollmentError):
    """Calls at the same time got in each other's way; try again."""


class ResourceExhausted(EnrollmentError):
    """More load than the server takes; nothing was done."""


class Internal(EnrollmentError):
    """A defect in the server; `metadata["error_id"]` finds it in the server's log."""


_BY_REASON: dict[str, type[EnrollmentError]] = {
    "INVALID_REQUEST": InvalidArgument,
    "PAGE_TOKEN_INVALID": PageTokenInvalid,
    "STUDENT_NOT_FOUND": StudentNotFound,
    "COURSE_NOT_FOUND": CourseNotFound,
    "COURSE_NOT_ASSOCIATED": CourseNotAssociated,
}

_BY_CODE: dict[grpc.StatusCode, type[EnrollmentError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.ABORTED: Aborted,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.INTERNAL: Internal,
}


class _Details(NamedTuple):
    info: ErrorInfo
    bad_request: BadRequest


def from_rpc_error(error: grpc.RpcError, request_id: str) -> EnrollmentError:
    """The exception to raise for what gRPC raised."""
    if not isinstance(error, grpc.Call):
        raise error  # not the outcome of a call: nothing that this module can read
    code = error.code()
    details = _details(error)
    kind = _BY_REASON.get(details.info.reason) or _BY_CODE.get(code, EnrollmentError)
    return kind(error, code, error.details() or "", details, request_id)


def _details(call: grpc.Call) -> _Details:
    status = Status()
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:  # from a proxy, perhaps; the code still tells something
                status.Clear()
    info, bad_request = ErrorInfo(), BadRequest()
    for detail in status.details:
        detail.Unpack(info)  # does nothing to a detail of another type
        detail.Unpack(bad_request)
    return _Details(info if info.domain == _DOMAIN else ErrorInfo(), bad_request)
