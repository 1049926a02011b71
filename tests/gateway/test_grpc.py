"""gRPC and gRPC-Web through the same Envoy: statuses are those of gRPC, whoever gives them."""

import base64
import re
import socket
import struct
from collections.abc import Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from scripts import gateway

from enrollment import CourseNotFound, EnrollmentClient, Unavailable
from enrollment.v1 import enrollment_pb2 as pb
from enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub
from tests.gateway.conftest import Call
from tests.support.gateway import call, envoy
from tests.support.refusing import told_servers
from tests.support.serving import free_address

TRAILERS = 0x80  # the flag of a frame that has them
LIST = "/enrollment.v1.EnrollmentService/ListStudentCourses"


@pytest.fixture
def client(address: str) -> Iterator[EnrollmentClient]:
    with EnrollmentClient(address, retry=None, timeout=5) as client:
        yield client


class TestGrpc:
    def test_calls_pass(self, client: EnrollmentClient, student: str) -> None:
        client.associate_courses(student, ["chess"])

        assert [one.course.id for one in client.list_student_courses(student)] == ["chess"]

    def test_so_do_refusals_with_all_of_their_details(self, client: EnrollmentClient) -> None:
        unknown = [f"{number:0>128}" for number in range(100)]

        with pytest.raises(CourseNotFound) as refusal:
            client.associate_courses("ada", unknown)

        assert refusal.value.course_ids == tuple(unknown)

    def test_headers_that_mean_something_to_grpc_pass(self, address: str) -> None:
        """As that of a compressed request: without it, nobody could read it."""
        request = pb.AssociateCoursesRequest(student_id="ada", course_ids=["chess"] * 100)
        with grpc.insecure_channel(address, compression=grpc.Compression.Gzip) as channel:
            stub: Any = EnrollmentServiceStub(channel)

            assert stub.AssociateCourses(request, timeout=5).associations[0].course_id == "chess"

    def test_a_stream_is_answered_while_it_is_open(self, address: str) -> None:
        requests: SimpleQueue[ServerReflectionRequest | None] = SimpleQueue()
        requests.put(ServerReflectionRequest(list_services=""))
        with grpc.insecure_channel(address) as channel:
            stub: Any = ServerReflectionStub(channel)
            answers = stub.ServerReflectionInfo(iter(requests.get, None), timeout=5)
            services = next(answers).list_services_response.service
            requests.put(None)

        assert "enrollment.v1.EnrollmentService" in {service.name for service in services}

    def test_it_is_spoken_by_post_alone(self, http: Call) -> None:
        """The servers would end such calls without an answer."""
        answer = http("GET", LIST, headers={"content-type": "application/grpc"})

        assert answer.headers["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])
        assert answer.headers["grpc-message"] == "gRPC is spoken by POST alone."

    def test_a_refusal_of_envoy_says_what_others_are_told(self) -> None:
        with (
            envoy(gateway.local(free_address(), free_address())) as address,
            EnrollmentClient(address, retry=None, timeout=5) as client,
            pytest.raises(Unavailable) as refusal,
        ):
            list(client.list_student_courses("ada"))

        assert refusal.value.message == "No server answered; try again after a pause."

    def test_what_the_servers_do_not_have_they_say_so(self, address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            method: Any = channel.unary_unary("/no.such.Service/Method")
            with pytest.raises(grpc.RpcError) as error:
                method(b"", timeout=5)

        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED

    def test_a_deadline_of_the_callers_own_may_be_longer_than_what_others_have(self) -> None:
        with told_servers("") as [server]:
            config = gateway.local(free_address(), server.address)
            longest(config, "0.2s")
            with envoy(config) as address, grpc.insecure_channel(address) as channel:
                method: Any = channel.unary_unary(LIST)
                request = pb.ListStudentCoursesRequest(student_id="slow").SerializeToString()
                patient = method.future(request, timeout=60)
                # Comes later, and is over before.
                with pytest.raises(grpc.RpcError):
                    method(request)

                assert not patient.done()
                server.release()
                assert patient.result(timeout=10)

    def test_a_server_that_is_frozen_has_until_the_deadline(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as frozen:
            config = gateway.local(free_address(), f"127.0.0.1:{frozen.getsockname()[1]}")
            longest(config, "0.2s")
            with envoy(config) as address, grpc.insecure_channel(address) as channel:
                method: Any = channel.unary_unary(LIST)
                with pytest.raises(grpc.RpcError) as error:
                    method(b"")

        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.value.details() == "The deadline passed; it is not known what was done."


def longest(config: gateway.Config, duration: str) -> None:
    """Give calls without a deadline so long."""
    [host] = gateway.connection_manager(config)["route_config"]["virtual_hosts"]
    host["routes"][0]["route"]["max_stream_duration"]["max_stream_duration"] = duration


class TestGrpcWeb:
    @pytest.mark.parametrize("form", ["application/grpc-web", "application/grpc-web-text"])
    def test_calls_pass(
        self, http: Call, client: EnrollmentClient, student: str, form: str
    ) -> None:
        client.associate_courses(student, ["chess"])

        [message], trailers = call_by_web(
            http, pb.ListStudentCoursesRequest(student_id=student), form
        )

        [taken] = pb.ListStudentCoursesResponse.FromString(message).courses
        assert taken.course.id == "chess"
        assert trailers["grpc-status"] == "0"

    def test_so_do_refusals(self, http: Call) -> None:
        messages, trailers = call_by_web(http, pb.ListStudentCoursesRequest(student_id="nobody"))

        assert messages == []
        assert trailers["grpc-status"] == "5"
        status = Status.FromString(base64.b64decode(trailers["grpc-status-details-bin"] + "=="))
        assert status.message == "There is no student nobody."

    def test_it_is_no_json(self, http: Call) -> None:
        answer = http("POST", LIST, "{}", {"content-type": "application/grpc-web+json"})

        assert (answer.status, answer.refusal.code) == (404, "NOT_FOUND")

    def test_what_one_server_refuses_another_answers(self) -> None:
        request = pb.ListStudentCoursesRequest(student_id="ada")
        with told_servers("a", "b") as [a, b]:
            a.refuse()
            with envoy(gateway.local(free_address(), a.address, b.address)) as address:
                statuses = [
                    call_by_web(partial(call, address), request)[1]["grpc-status"] for _ in range(4)
                ]

        assert statuses == ["0"] * 4


def call_by_web(
    http: Call, request: pb.ListStudentCoursesRequest, form: str = "application/grpc-web"
) -> tuple[list[bytes], dict[str, str]]:
    """The messages of the answer, and its trailers, which may come as headers."""
    encoded = request.SerializeToString()
    body = struct.pack(">BI", 0, len(encoded)) + encoded
    is_text = form.endswith("-text")
    kind = {"content-type": f"{form}+proto", "accept": f"{form}+proto"}
    answer = http("POST", LIST, base64.b64encode(body) if is_text else body, kind)
    assert (answer.status, answer.headers["content-type"]) == (200, f"{form}+proto")

    frames = answer.body
    if is_text:  # pieces, each encoded by itself
        frames = b"".join(map(base64.b64decode, re.findall(rb"[^=]+=*", frames)))
    messages, trailers = [], dict(answer.headers)
    while frames:
        flags, length = struct.unpack(">BI", frames[:5])
        content, frames = frames[5 : 5 + length], frames[5 + length :]
        if flags & TRAILERS:
            lines = content.decode().splitlines()
            trailers |= dict(line.split(":", maxsplit=1) for line in lines)
        else:
            messages.append(content)
    return messages, trailers
