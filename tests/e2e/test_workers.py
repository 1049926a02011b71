"""Several processes on one port."""

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import grpc
import psutil
import pytest
from sqlalchemy import URL

from enrollment import Aborted, DeadlineExceeded, EnrollmentClient
from tests.e2e.conftest import Serve
from tests.e2e.test_telemetry import SERVICE, scrape
from tests.support.databases import blocked, waits_for_a_lock
from tests.support.issuer import Issuer, key_set
from tests.support.serving import Server, free_address
from tests.support.waiting import wait_until

CONNECTIONS = 16


@pytest.fixture
def url(postgresql: URL) -> URL:
    return postgresql


def workers(server: Server) -> list[psutil.Process]:
    """Those that listen."""
    port = int(server.address.rpartition(":")[2])
    found = []
    for process in psutil.Process(server.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            listening = (c for c in process.net_connections() if c.status == psutil.CONN_LISTEN)
            if port in (connection.laddr.port for connection in listening):
                found.append(process)
    return found


def call_by_many_connections(address: str) -> None:
    """The kernel gives each connection to one worker."""
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
            client = EnrollmentClient(stack.enter_context(channel))
            assert list(client.list_student_courses("ada", timeout=10)) == []


def calls(metrics: str) -> float:
    labels = frozenset({("grpc_method", f"{SERVICE}/ListStudentCourses")})
    return scrape(metrics)["grpc_server_call_started_total", labels]


def test_workers_share_a_port_and_one_that_dies_is_replaced(serve: Serve, url: URL) -> None:
    metrics = free_address()
    with serve(url, "--workers", "2", "--metrics-listen", metrics) as server:
        first = workers(server)
        assert len(first) == 2
        call_by_many_connections(server.address)
        assert calls(metrics) == CONNECTIONS
        assert scrape(metrics)["enrollment_serving", frozenset()] == 2

        first[0].kill()
        # Until its last thread is gone, it still takes connections that nobody will serve.
        wait_until(lambda: "ended with code -9" in server.errors())
        call_by_many_connections(server.address)
        assert calls(metrics) == 2 * CONNECTIONS
        wait_until(lambda: len(workers(server)) == 2, 20)
        wait_until(lambda: scrape(metrics)["enrollment_serving", frozenset()] == 2)

        server.process.terminate()
        assert server.process.wait(20) == 0
        assert not any(process.is_running() for process in first)


def test_a_second_server_is_refused_the_port(serve: Serve, url: URL) -> None:
    with serve(url, "--workers", "2") as server:
        for more in (["--workers", "2"], []):
            with (
                pytest.raises(pytest.fail.Exception, match="Address already in use"),
                serve(url, "--listen", server.address, *more),
            ):
                pass
        port = int(server.address.rpartition(":")[2])
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))


def test_workers_do_not_outlive_their_supervisor(serve: Serve, url: URL) -> None:
    with serve(url, "--workers", "2") as server:
        orphans = workers(server)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)

        _, alive = psutil.wait_procs(orphans, timeout=20)
        assert alive == []


def test_a_worker_s_complaint_is_the_server_s(serve: Serve, url: URL) -> None:
    flags = ["--workers", "2", "--tls-cert", "none.pem", "--tls-key", "none.key"]
    with (
        pytest.raises(pytest.fail.Exception, match=r"Error: cannot read none\.pem: No such file"),
        serve(url, *flags),
    ):
        pass


def test_a_signal_to_all_processes_lets_calls_finish(serve: Serve, url: URL) -> None:
    """As from a terminal, and from systemd unless told otherwise."""
    with (
        blocked(url, "ada", "chess"),
        serve(url, "--workers", "2", "--drain-timeout", "5") as server,
        EnrollmentClient(server.address, retry=None) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        call = thread.submit(client.associate_courses, "ada", ["chess"], timeout=3)
        wait_until(lambda: waits_for_a_lock(url))
        for process in [*workers(server), psutil.Process(server.process.pid)]:
            process.send_signal(signal.SIGINT)

        # It ends as it would have, with its own deadline, and not with its connection.
        assert isinstance(call.exception(timeout=10), DeadlineExceeded | Aborted)
        assert server.process.wait(20) == 0


def test_why_a_worker_cannot_be_replaced_is_said_and_it_is_tried_again(
    serve: Serve, url: URL, folder: Path
) -> None:
    keys, policy = folder / "keys.json", folder / "policy.toml"
    keys.write_bytes(key_set(Issuer(algorithm="ES256")))
    policy.write_text('reader = ["portal"]')
    flags = [f"--jwks={keys}", f"--policy={policy}", "--jwt-issuer=me", "--jwt-audience=you"]
    with serve(url, "--workers", "2", *flags) as server:
        policy.rename(folder / "away")
        workers(server)[0].kill()
        wait_until(lambda: f"cannot read {policy}" in server.errors(), 20)

        (folder / "away").rename(policy)
        wait_until(lambda: len(workers(server)) == 2, 20)
