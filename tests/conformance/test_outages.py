"""PostgreSQL goes away under load, in several ways, and comes back.

Callers are told so within their deadlines, health follows, nothing has to be restarted, and
what was acknowledged is there.
"""

from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from enrollment import EnrollmentClient
from tests.conformance.conftest import COURSES, EXECUTABLE
from tests.support.databases import PostgreSQLDatabases
from tests.support.postgresql import PostgreSQLServer, postgresql_server
from tests.support.proxy import Proxy, proxy
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving_process
from tests.support.waiting import wait_until
from tests.support.writing import Load

TIMEOUT = 2.0  # seconds that a caller gives each call
NOTICED = 5.0  # seconds in which health has to follow, and calls to succeed again


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A server that nobody else needs."""
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="module")
def databases_of_its_own(postgresql: PostgreSQLServer) -> PostgreSQLDatabases:
    return PostgreSQLDatabases(postgresql.url)


@pytest.fixture
def wire(postgresql: PostgreSQLServer) -> Iterator[Proxy]:
    """What is between our server and PostgreSQL."""
    with proxy(postgresql.socket) as running:
        yield running


@pytest.fixture
def address(databases_of_its_own: PostgreSQLDatabases, wire: Proxy) -> Iterator[str]:
    """Where our server is."""
    database = databases_of_its_own.fresh()
    insert_students_and_courses(database, *COURSES)
    url = database.set(host="127.0.0.1", port=wire.port, query={})
    with serving_process(EXECUTABLE, url) as server:
        yield server.address


def check_refusals(load: Load, *reasons: str) -> None:
    """Whoever was refused since the last look was told these, by the server, in time."""
    for error, seconds in load.take_refused():
        assert error.reason in reasons, error
        assert seconds < TIMEOUT


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
    address: str, postgresql: PostgreSQLServer, wire: Proxy, outage: str, soak: bool
) -> None:
    begin, end = OUTAGES[outage]
    load = Load(lambda: EnrollmentClient(address, timeout=TIMEOUT, retry=None), COURSES)
    with grpc.insecure_channel(address) as channel, load.running():
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

    with EnrollmentClient(address) as client:
        load.check_acknowledged(client)


def test_connections_that_are_reset_cost_no_acknowledged_write(
    address: str, wire: Proxy, soak: bool
) -> None:
    load = Load(lambda: EnrollmentClient(address, timeout=TIMEOUT, retry=None), COURSES)
    with load.running():
        for _ in range(500 if soak else 25):
            load.goes_on(NOTICED)
            wire.reset()
        load.goes_on(NOTICED)

    check_refusals(load, "DATABASE_UNAVAILABLE")
    with EnrollmentClient(address) as client:
        load.check_acknowledged(client)
