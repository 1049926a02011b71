"""PostgreSQL goes away under load, in several ways, and comes back.

Callers are told so within their deadlines, health follows, nothing has to be restarted, and
what was acknowledged is there.
"""

import itertools
from collections.abc import Callable

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from enrollment import EnrollmentClient
from tests.conformance.conftest import COURSES
from tests.support.postgresql import PostgreSQLServer
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until
from tests.support.writing import Load

TIMEOUTS = (1.0, 2.0, 5.0)  # seconds that callers give each call, some these, and some those
NOTICED = 5.0  # seconds in which health has to follow, and calls to succeed again


@pytest.fixture
def load(wired_address: str) -> Load:
    timeouts = itertools.cycle(TIMEOUTS)
    return Load(
        lambda: EnrollmentClient(wired_address, timeout=next(timeouts), retry=None), COURSES
    )


def check_refusals(load: Load, *reasons: str) -> None:
    """Whoever was refused since the last look was told these by the server, so it was in time."""
    for error in load.take_refused():
        assert error.reason in reasons, error


class Health:
    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = HealthStub(channel)

    def serving(self) -> bool:
        answer = self._stub.Check(HealthCheckRequest(), timeout=1)
        return bool(answer.status == HealthCheckResponse.SERVING)


OUTAGES: dict[str, tuple[Callable[[PostgreSQLServer, Proxy], None], ...]] = {
    "stopped": (lambda server, _: server.stop(), lambda server, _: server.start()),
    "killed": (lambda server, _: server.kill(), lambda server, _: server.start()),
    "paused": (lambda server, _: server.pause(), lambda server, _: server.resume()),
    "blackholed": (lambda _, wire: wire.blackhole(), lambda _, wire: wire.heal()),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_said_and_survived(
    wired_address: str,
    postgresql: PostgreSQLServer,
    wire: Proxy,
    load: Load,
    outage: str,
    soak: bool,
) -> None:
    begin, end = OUTAGES[outage]
    with grpc.insecure_channel(wired_address) as channel, load.running():
        health = Health(channel)
        for _ in range(10 if soak else 1):
            load.goes_on(NOTICED)
            begin(postgresql, wire)
            try:
                wait_until(lambda: not health.serving(), NOTICED)
                assert load.refused
                check_refusals(load, "DATABASE_UNAVAILABLE")
            finally:
                end(postgresql, wire)
            load.goes_on(NOTICED)
            assert health.serving()
            # When the database comes back, it can be too late for a call.
            check_refusals(load, "DATABASE_UNAVAILABLE", "DEADLINE_EXCEEDED")

    with EnrollmentClient(wired_address) as client:
        load.check_acknowledged(client)


def test_connections_that_are_reset_cost_no_acknowledged_write(
    wired_address: str, wire: Proxy, load: Load, soak: bool
) -> None:
    with load.running():
        for _ in range(500 if soak else 25):
            load.goes_on(NOTICED)
            wire.reset()
        load.goes_on(NOTICED)

    check_refusals(load, "DATABASE_UNAVAILABLE")
    with EnrollmentClient(wired_address) as client:
        load.check_acknowledged(client)
