"""What the server does around the servicer, on a real port."""

from collections.abc import Iterator
from typing import Any, cast

import grpc
import pytest

from enrollment_server.rpc.server import create_server
from enrollment_server.service.association import AssociationService
from tests.support.statuses import Refusal, refusal


@pytest.fixture
def channel() -> Iterator[grpc.Channel]:
    server = create_server(cast(AssociationService, None), threads=2, queue=2)  # never reached
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(None).wait()


def refused(channel: grpc.Channel, method: str, encoded: bytes) -> Refusal:
    """What is answered to these bytes."""
    multicallable: Any = channel.unary_unary(f"/enrollment.v1.EnrollmentService/{method}")
    with pytest.raises(grpc.RpcError) as error:
        multicallable(encoded, timeout=5)
    call = cast(Any, error.value)
    return refusal(call.code(), call.details(), call.trailing_metadata())


@pytest.mark.parametrize("method", ["AssociateCourses", "ListStudentCourses", "RemoveCourse"])
@pytest.mark.parametrize(
    "encoded",
    [
        b"\x0a\x02\xff\xfe",  # student_id that is not UTF-8
        b"\x0a\x05ada",  # student_id longer than the message
        b"\xff\xff\xff\xff",
        b"{}",
        b"\x00",
    ],
)
def test_bytes_that_are_not_a_message_are_an_invalid_request(
    channel: grpc.Channel, method: str, encoded: bytes
) -> None:
    assert refused(channel, method, encoded) == Refusal(
        "INVALID_ARGUMENT",
        "The request cannot be decoded: it is damaged, or of another type.",
        "INVALID_REQUEST",
        {},
        {"": "cannot be decoded"},
    )


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel) -> None:
    multicallable: Any = channel.unary_unary("/enrollment.v1.EnrollmentService/Enrol")

    with pytest.raises(grpc.RpcError) as error:
        multicallable(b"", timeout=5)

    assert cast(Any, error.value).code() is grpc.StatusCode.UNIMPLEMENTED
