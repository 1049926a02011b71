"""The installed server on a real port, called by real clients, on every database."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2_grpc
from sqlalchemy import URL, text

from enrollment import DeadlineExceeded, EnrollmentClient, Outcome
from enrollment_server.db import backends
from tests.e2e.conftest import Serve, run
from tests.support.databases import Databases, blocked, spelled_out, waits_for_a_lock
from tests.support.waiting import wait_until

SESSION = """
import enrollment, sys
with enrollment.EnrollmentClient(sys.argv[1]) as client:
    print([a.outcome.name for a in client.associate_courses("ada", ["chess", "algebra"])])
    print(client.remove_course("ada", "chess"))
    print([taken.course.title for taken in client.list_student_courses("ada")])
"""


def test_the_installed_client_speaks_with_the_installed_server(
    installed: Path, serve: Serve, populated: URL
) -> None:
    with serve(populated) as server:
        printed = run(installed / "python", "-c", SESSION, server.address)

    assert printed.splitlines() == ["['CREATED', 'CREATED']", "True", "['Linear Algebra']"]


def test_what_was_acknowledged_is_there_after_a_restart(serve: Serve, populated: URL) -> None:
    with serve(populated) as server, EnrollmentClient(server.address) as client:
        client.associate_courses("ada", ["chess", "algebra"])
        first = client.list_student_courses("ada", page_size=1)
        [page, *_] = first.pages
        server.process.kill()

    with serve(populated) as server, EnrollmentClient(server.address) as client:
        rest = client.list_student_courses("ada", page_token=page.next_page_token)
        assert [taken.course.id for taken in rest] == ["chess"]


def test_a_call_that_waits_for_the_database_does_not_keep_it_from_stopping(
    serve: Serve, postgresql: URL
) -> None:
    engine = backends.create_engine(postgresql)
    with (
        serve(postgresql, "--drain-timeout", "0.1") as server,
        EnrollmentClient(server.address) as client,
        engine.begin() as connection,
    ):
        connection.execute(text("LOCK TABLE student_courses"))
        with pytest.raises(DeadlineExceeded):
            client.associate_courses("ada", ["chess"], timeout=0.5)
        server.process.terminate()

        assert server.process.wait(timeout=10) == 0


def test_idle_reflection_streams_keep_no_call_waiting(serve: Serve, populated: URL) -> None:
    with (
        serve(populated, "--threads", "1") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stop = Event()
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        streams = [stub.ServerReflectionInfo(iter(stop.wait, True)) for _ in range(8)]

        assert list(EnrollmentClient(channel).list_student_courses("ada", timeout=5)) == []
        for stream in streams:
            stream.cancel()
        stop.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(serve: Serve, populated: URL, number: signal.Signals) -> None:
    with serve(populated) as server:
        with EnrollmentClient(server.address) as client:
            list(client.list_student_courses("ada"))
        server.process.send_signal(number)

        assert server.process.wait(timeout=20) == 0
        [line] = server.errors().splitlines()  # that of the call
        assert json.loads(line)["message"] == "ListStudentCourses OK"


def test_while_it_stops_health_says_so_and_the_call_in_flight_is_answered(
    serve: Serve, postgresql: URL
) -> None:
    with (
        serve(postgresql) as server,
        grpc.insecure_channel(server.address) as channel,
        EnrollmentClient(server.address, retry=None) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        statuses = HealthStub(channel).Watch(HealthCheckRequest(), timeout=20)
        assert next(statuses).status == HealthCheckResponse.SERVING
        with blocked(postgresql, "ada", "chess"):
            call = thread.submit(client.associate_courses, "ada", ["chess"])
            wait_until(lambda: waits_for_a_lock(postgresql))

            server.process.send_signal(signal.SIGTERM)

            assert next(statuses).status == HealthCheckResponse.NOT_SERVING
        [association] = call.result(timeout=10)
        assert association.outcome is Outcome.CREATED
        assert server.process.wait(20) == 0


def test_a_schema_that_a_newer_version_made_is_served(serve: Serve, populated: URL) -> None:
    """So that servers of the version before can be restarted while it is rolled out."""
    engine = backends.create_engine(populated)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with serve(populated) as server, EnrollmentClient(server.address) as client:
        assert list(client.list_student_courses("ada")) == []
        assert "the schema is at revision 9999" in server.errors()


def test_migrate_makes_a_new_database_ready(serve: Serve, databases: Databases) -> None:
    with (
        serve(databases.empty(), "--migrate") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        answer = HealthStub(channel).Check(HealthCheckRequest())

    assert answer.status == HealthCheckResponse.SERVING


class TestOtherCommands:
    def command(self, installed: Path, url: URL, *arguments: str) -> str:
        return run(installed / "enrollment-server", *arguments, "--database-url", spelled_out(url))

    def test_migrate_says_what_it_did(self, installed: Path, databases: Databases) -> None:
        url = databases.empty()
        shown = url.render_as_string()

        assert self.command(installed, url, "migrate") == (
            f"{shown} went from revision none to 0002\n"
        )
        assert self.command(installed, url, "migrate") == f"{shown} is at revision 0002\n"

    def test_migrate_can_print_what_would_run(self, installed: Path, databases: Databases) -> None:
        url = databases.empty()

        printed = self.command(installed, url, "migrate", "--sql")

        assert "CREATE TABLE student_courses" in printed
        assert not backends.exists(url) or url.get_backend_name() == "postgresql"
        self.command(installed, url, "migrate")
        assert self.command(installed, url, "migrate", "--sql") == ""

    def test_check_passes_a_database_that_is_ready(self, installed: Path, url: URL) -> None:
        assert self.command(installed, url, "check") == (
            f"{url.render_as_string()} is reachable, at head, and as the code has it\n"
        )


def test_a_server_that_is_ready_has_connected(serve: Serve, postgresql: URL) -> None:
    """SQLAlchemy asks a few things on the first connection, and heeds no deadline then."""
    engine = backends.create_engine(postgresql)
    others = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with serve(postgresql), engine.connect() as connection:
        # One of those that answer calls, and the one that asks whether the database is there.
        assert connection.scalar(others) == 2
