"""How a client is set up: TLS, tokens, keepalive; and what it sends with every call."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from enrollment import EnrollmentClient, EnrollmentError, Keepalive, Tls
from enrollment.v1 import enrollment_pb2 as pb
from tests.client.conftest import Calling, Server

Options = dict[str, Any]


def sent(server: Server, calling: Calling, client: EnrollmentClient, **call: Any) -> Options:
    """The metadata of a call."""
    student_id = call.pop("student_id", "ada")
    done = calling(lambda: client.remove_course(student_id, "chess", **call))
    metadata, _ = server.answer("RemoveCourse", pb.RemoveCourseResponse())
    done.result()
    return dict(metadata)


def test_each_call_has_a_request_id_of_its_own(
    server: Server, client: EnrollmentClient, calling: Calling
) -> None:
    ids = [sent(server, calling, client)["x-request-id"] for _ in range(2)]

    assert all(ids)
    assert ids[0] != ids[1]


def test_a_caller_may_name_another(
    server: Server, client: EnrollmentClient, calling: Calling
) -> None:
    metadata = sent(server, calling, client, metadata=[("x-request-id", "r-1"), ("x-more", "1")])

    assert (metadata["x-request-id"], metadata["x-more"]) == ("r-1", "1")


def test_an_error_tells_the_request_id(
    server: Server, client: EnrollmentClient, calling: Calling
) -> None:
    call = calling(lambda: client.remove_course("ada", "chess"))
    metadata, _ = server.answer("RemoveCourse", code=grpc.StatusCode.UNAVAILABLE)

    error = call.exception()
    assert isinstance(error, EnrollmentError)
    assert error.request_id == dict(metadata)["x-request-id"]


@pytest.mark.parametrize(
    ("student_id", "header"),
    [("a:b~c.d_e-f", "a:b~c.d_e-f"), ("é/\n", "%C3%A9%2F%0A"), ("", ""), ("a" * 1000, "a" * 128)],
)
def test_a_proxy_can_route_by_student(
    server: Server, client: EnrollmentClient, calling: Calling, student_id: str, header: str
) -> None:
    metadata = sent(server, calling, client, student_id=student_id)

    assert metadata["x-student-id"] == header


def test_a_token_is_asked_for_before_every_call(server: Server, calling: Calling) -> None:
    tokens = iter(["one", "two"])
    client = EnrollmentClient(server.channel, token=lambda: next(tokens))

    assert [sent(server, calling, client)["authorization"] for _ in range(2)] == [
        "Bearer one",
        "Bearer two",
    ]


@pytest.mark.parametrize(
    "target",
    [
        "enrolment:50051",
        "dns:///10.0.0.1:1",
        "ipv4:10.0.0.1:1",
        "dns://127.0.0.53/enrolment:1",
        "127.0.0.1.example.org:1",
        "localhost.example.org:1",
        "[::2]:1",
    ],
)
def test_a_token_does_not_go_to_another_machine_in_plain_text(target: str) -> None:
    with pytest.raises(ValueError, match="plain text"):
        EnrollmentClient(target, token=lambda: "secret")

    EnrollmentClient(target, token=lambda: "secret", tls=Tls()).close()


@pytest.mark.parametrize(
    "target",
    [
        "localhost",
        "localhost:1",
        "127.0.0.1:1",
        "[::1]:1",
        "ipv4:127.0.0.1:1",
        "dns:///localhost:1",
        "unix:/tmp/s",
    ],
)
def test_a_token_may_stay_on_this_machine(target: str) -> None:
    EnrollmentClient(target, token=lambda: "secret").close()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Tls(private_key=b"key"), "go together"),
        (lambda: Tls(certificate_chain=b"certificate"), "go together"),
        (lambda: Keepalive(time=5), "10 seconds"),
        (lambda: Keepalive(timeout=0), "positive"),
    ],
)
def test_settings_that_cannot_be(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()
