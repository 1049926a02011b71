"""What a call raises, for each status that it may be answered with."""

from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, RetryInfo
from google.rpc.status_pb2 import Status

import enrollment
from enrollment import EnrollmentClient, EnrollmentError, Violation
from tests.client.conftest import Calling, Server


def failing(
    server: Server,
    client: EnrollmentClient,
    calling: Calling,
    code: grpc.StatusCode,
    *details: Any,
    trailing_metadata: tuple[tuple[str, str | bytes], ...] | None = None,
) -> EnrollmentError:
    """What a call raises that is answered with this status."""
    call = calling(lambda: client.remove_course("ada", "chess"))
    status = Status(code=code.value[0], message="It says why.")
    for detail in details:
        status.details.add().Pack(detail)
    if trailing_metadata is None:
        trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    server.answer("RemoveCourse", None, code, "It says why.", trailing_metadata)
    error = call.exception(timeout=5)
    assert isinstance(error, EnrollmentError)
    return error


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "reason", "kind"),
        [
            (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", enrollment.InvalidArgument),
            (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", enrollment.PageTokenInvalid),
            (grpc.StatusCode.NOT_FOUND, "STUDENT_NOT_FOUND", enrollment.StudentNotFound),
            (grpc.StatusCode.NOT_FOUND, "COURSE_NOT_FOUND", enrollment.CourseNotFound),
            (grpc.StatusCode.NOT_FOUND, "COURSE_NOT_ASSOCIATED", enrollment.CourseNotAssociated),
            (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", enrollment.Unavailable),
            (grpc.StatusCode.ABORTED, "CONFLICT", enrollment.Aborted),
            (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", enrollment.ResourceExhausted),
            (grpc.StatusCode.INTERNAL, "INTERNAL", enrollment.Internal),
            (grpc.StatusCode.NOT_FOUND, "OF_A_NEWER_SERVER", enrollment.NotFound),
        ],
    )
    def test_are_told_apart_by_reason(
        self,
        server: Server,
        client: EnrollmentClient,
        calling: Calling,
        code: grpc.StatusCode,
        reason: str,
        kind: type[EnrollmentError],
    ) -> None:
        error = failing(
            server, client, calling, code, ErrorInfo(reason=reason, domain="enrollment.v1")
        )

        assert type(error) is kind
        assert (error.code, error.reason, error.message) == (code, reason, "It says why.")
        assert str(error) == f"{reason}: It says why."
        assert isinstance(error.rpc_error, grpc.RpcError)

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (grpc.StatusCode.DEADLINE_EXCEEDED, enrollment.DeadlineExceeded),
            (grpc.StatusCode.CANCELLED, enrollment.Cancelled),
            (grpc.StatusCode.UNAVAILABLE, enrollment.Unavailable),
            (grpc.StatusCode.UNIMPLEMENTED, EnrollmentError),
        ],
    )
    @pytest.mark.parametrize(
        "trailing_metadata",
        [
            (),
            (("grpc-status-details-bin", b"\xff\xff not a Status"),),
            (("grpc-status-details-bin", b""), ("x-proxy", "7")),
        ],
        ids=["nothing", "garbage", "empty"],
    )
    def test_from_elsewhere_are_told_apart_by_code(
        self,
        server: Server,
        client: EnrollmentClient,
        calling: Calling,
        code: grpc.StatusCode,
        kind: type[EnrollmentError],
        trailing_metadata: tuple[tuple[str, str | bytes], ...],
    ) -> None:
        error = failing(server, client, calling, code, trailing_metadata=trailing_metadata)

        assert type(error) is kind
        assert (error.reason, dict(error.metadata)) == ("", {})
        assert str(error) == f"{code.name}: It says why."

    def test_of_another_domain_are_not_taken_for_the_services(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        info = ErrorInfo(reason="STUDENT_NOT_FOUND", domain="elsewhere.example.com")
        error = failing(server, client, calling, grpc.StatusCode.NOT_FOUND, info)

        assert type(error) is enrollment.NotFound
        assert error.reason == ""

    def test_may_have_details_of_other_kinds(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        info = ErrorInfo(reason="STUDENT_NOT_FOUND", domain="enrollment.v1")
        error = failing(
            server, client, calling, grpc.StatusCode.NOT_FOUND, RetryInfo(), info, Help()
        )

        assert type(error) is enrollment.StudentNotFound

    def test_say_what_they_are_about(
        self, server: Server, client: EnrollmentClient, calling: Calling
    ) -> None:
        def info(reason: str, **metadata: str) -> ErrorInfo:
            return ErrorInfo(reason=reason, domain="enrollment.v1", metadata=metadata)

        def raised(*details: Any) -> Any:
            return failing(server, client, calling, grpc.StatusCode.NOT_FOUND, *details)

        assert raised(info("STUDENT_NOT_FOUND", student_id="ada")).student_id == "ada"
        assert raised(info("COURSE_NOT_FOUND", course_ids="x,y")).course_ids == ("x", "y")
        gone = raised(info("COURSE_NOT_ASSOCIATED", student_id="ada", course_id="chess"))
        assert (gone.student_id, gone.course_id) == ("ada", "chess")
        malformed = raised(
            info("INVALID_REQUEST"),
            BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(field="student_id", description="is required"),
                    BadRequest.FieldViolation(field="course_ids[3]", description="is not an id"),
                ]
            ),
        )
        assert malformed.violations == (
            Violation("student_id", "is required"),
            Violation("course_ids[3]", "is not an id"),
        )
