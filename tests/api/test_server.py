"""What the server does around the servicer, on a real port."""

from collections.abc import Iterator
from typing import Any, cast

import grpc
import pytest

from enrollment.v1 import enrollment_pb2 as pb
from enrollment_server.metrics import Metrics
from enrollment_server.rpc.admission import Admission
from enrollment_server.rpc.server import create_server
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Limits
from tests.support.statuses import Refusal, refusal


@pytest.fixture
def channel() -> Iterator[grpc.Channel]:
    admission = Admission(threads=2, queue=2)
    never_reached = cast(AssociationService, None)
    server = create_server(never_reached, admission, Metrics(), limits=Limits())
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


class TestSizes:
    """What is far beyond what anybody needs."""

    def test_a_hundred_thousand_ids_are_invalid(self, channel: grpc.Channel) -> None:
        request = pb.AssociateCoursesRequest(student_id="ada", course_ids=["c"] * 100_000)

        answer = refused(channel, "AssociateCourses", request.SerializeToString())

        assert (answer.code, list(answer.violations)) == ("INVALID_ARGUMENT", ["course_ids"])

    def test_a_token_of_a_million_letters_is_invalid(self, channel: grpc.Channel) -> None:
        request = pb.ListStudentCoursesRequest(student_id="ada", page_token="A" * 1_000_000)

        answer = refused(channel, "ListStudentCourses", request.SerializeToString())

        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")

    @pytest.mark.parametrize(
        ("encoded", "metadata"),
        [
            (bytes(5 * 2**20), []),
            (b"", [(f"x-{number}", "v" * 1000) for number in range(100)]),
        ],
        ids=["message", "metadata"],
    )
    def test_more_than_grpc_takes_is_refused_by_grpc(
        self, channel: grpc.Channel, encoded: bytes, metadata: Any
    ) -> None:
        method: Any = channel.unary_unary("/enrollment.v1.EnrollmentService/AssociateCourses")

        with pytest.raises(grpc.RpcError) as raised:
            method(encoded, timeout=10, metadata=metadata)

        assert cast(Any, raised.value).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        # And what comes next on the same connection is answered.
        assert refused(channel, "AssociateCourses", b"").reason == "INVALID_REQUEST"
