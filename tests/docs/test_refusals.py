"""What the gateway refuses by itself is shown as it says it."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from scripts import gateway
from scripts.reference.envoy import OF_A_BODY, OF_ANY_CALL, REQUEST_ID, OwnRefusal

from tests.support.gateway import JSON, Answer, call, envoy, raw
from tests.support.refusing import told_servers
from tests.support.serving import free_address

ADA = "/students/ada/courses"
SLOW = f"POST {ADA} HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: 9\r\n\r\n"


@dataclass(frozen=True)
class Gateways:
    """Addresses: before a server that answers as it is told, one that is silent, and none."""

    told: str
    silent: str
    deserted: str


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    with told_servers("") as [server], socket.create_server(("127.0.0.1", 0)) as listener:
        hasty = gateway.local(free_address(), server.address)
        gateway.connection_manager(hasty)["request_timeout"] = "1s"
        patient = gateway.local(free_address(), f"127.0.0.1:{listener.getsockname()[1]}")
        alone = gateway.local(free_address(), free_address())
        with envoy(hasty) as told, envoy(patient) as silent, envoy(alone) as deserted:
            yield Gateways(told, silent, deserted)


def told(
    method: str, path: str, body: str | None = None, **headers: str
) -> Callable[[Gateways], Answer]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda to: call(to.told, method, path, body, sent)


CASES: dict[int, Callable[[Gateways], Answer]] = {
    403: told("GET", ADA, connection="upgrade", upgrade="websocket"),
    408: lambda to: raw(to.told, SLOW.encode()),
    413: told("POST", ADA, " " * (4 * 2**20 + 1)),
    415: told("POST", ADA, "{}", content_type="text/plain"),
    426: lambda to: raw(to.told, f"GET {ADA} HTTP/1.0\r\n\r\n".encode()),
    431: told("GET", ADA, cookie="x" * 12 * 1024),
    500: told("GET", "/students/long/courses", x_request_id=REQUEST_ID),
    503: lambda to: call(to.deserted, "GET", ADA),
    504: lambda to: call(to.silent, "GET", ADA, headers={"grpc-timeout": "200m"}),
}


@pytest.mark.parametrize("refusal", [*OF_ANY_CALL, *OF_A_BODY], ids=lambda one: one.http)
def test_a_refusal_is_worded_as_it_is_shown(gateways: Gateways, refusal: OwnRefusal) -> None:
    answer = CASES[refusal.http](gateways)

    assert (answer.status, answer.json) == (refusal.http, refusal.body)
