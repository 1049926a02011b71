"""A status, as a caller of the service finds it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

CODES = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(frozen=True)
class Refusal:
    """What a status and its details say."""

    code: str
    message: str
    reason: str
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)


def refusal(
    code: grpc.StatusCode, message: str, trailing_metadata: Iterable[tuple[str, str | bytes]]
) -> Refusal:
    """Read a status strictly: its parts must be there, once, and agree."""
    [details] = [value for key, value in trailing_metadata if key == "grpc-status-details-bin"]
    assert isinstance(details, bytes)
    status = Status.FromString(details)
    assert status.code == code.value[0]
    assert status.message == message
    return refusal_in(status)


def refusal_in(status: Status) -> Refusal:
    """Read a status strictly: its details must be ours, and each there once."""
    info, bad_request = ErrorInfo(), BadRequest()
    assert status.details[0].Unpack(info)
    assert info.domain == "enrollment.v1"
    for detail in status.details[1:]:
        assert detail.Unpack(bad_request)
    violations = {
        violation.field: violation.description for violation in bad_request.field_violations
    }
    assert len(violations) == len(bad_request.field_violations)
    return Refusal(CODES[status.code], status.message, info.reason, dict(info.metadata), violations)
