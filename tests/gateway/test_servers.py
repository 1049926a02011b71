"""Several servers behind one Envoy: calls go to those that can answer."""

import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Semaphore

import pytest
from scripts import gateway

from tests.support.databases import Databases
from tests.support.gateway import call, envoy
from tests.support.places import BIN
from tests.support.refusing import told_servers
from tests.support.rows import insert_students_and_courses
from tests.support.serving import free_address, serving_process
from tests.support.waiting import wait_until

CALLS = 20
CALLERS = 64  # many calls are under way to a server that ends


@contextmanager
def gateway_to(*servers: str) -> Iterator[str]:
    """An Envoy before these; it asks for their health more often than in production."""
    config = gateway.local(free_address(), *servers)
    [cluster] = config["static_resources"]["clusters"]
    [check] = cluster["health_checks"]
    check.update(interval="0.05s", no_traffic_interval="0.05s")
    with envoy(config) as address:
        yield address


def answered_by(address: str) -> Counter[str]:
    """The names of the servers, with how many calls each answered; all were answered well."""
    answers = [call(address, "GET", "/students/ada/courses") for _ in range(CALLS)]
    assert {answer.status for answer in answers} == {200}
    return Counter(answer.json["courses"][0]["course"]["title"] for answer in answers)


def test_calls_are_shared() -> None:
    with (
        told_servers("a", "b") as servers,
        gateway_to(*(one.address for one in servers)) as address,
    ):
        shares = answered_by(address)

    assert min(shares["a"], shares["b"]) > CALLS / 4


def test_what_one_server_refuses_another_answers() -> None:
    """It is about to stop, and health checks do not know it yet."""
    with (
        told_servers("a", "b") as [a, b],
        gateway_to(a.address, b.address) as address,
    ):
        a.refuse()

        assert answered_by(address) == {"b": CALLS}


def test_a_server_that_is_gone_is_not_missed() -> None:
    with (
        told_servers("a", "b") as [a, b],
        gateway_to(a.address, b.address) as address,
    ):
        a.stop()

        assert answered_by(address) == {"b": CALLS}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_call_is_lost_with_a_server_that_ends_under_load(
    sqlite_databases: Databases, number: signal.Signals
) -> None:
    url = sqlite_databases.fresh()
    insert_students_and_courses(url)
    answered = Semaphore(0)

    def make_calls(address: str) -> list[int]:
        """The statuses."""
        ada = "/students/ada/courses"
        statuses = []
        for _ in range(CALLS // 2):
            for method, path, body in (
                ("POST", ada, '{"course_ids": ["chess"]}'),
                ("GET", ada, None),
                ("DELETE", f"{ada}/chess?allow_missing=true", None),
            ):
                statuses.append(call(address, method, path, body).status)
                answered.release()
        return statuses

    with ExitStack() as stack:
        ends, stays = (
            stack.enter_context(serving_process(BIN / "enrollment-server", url)) for _ in range(2)
        )
        config = gateway.local(free_address(), ends.address, stays.address)
        address = stack.enter_context(envoy(config))
        threads = stack.enter_context(ThreadPoolExecutor(CALLERS))
        callers = [threads.submit(make_calls, address) for _ in range(CALLERS)]
        for _ in range(CALLERS * 10):
            assert answered.acquire(timeout=30)
        ends.process.send_signal(number)

        statuses = Counter(status for caller in callers for status in caller.result())

    assert statuses.keys() == {200}


def test_a_server_that_does_not_serve_gets_no_calls_until_it_does() -> None:
    with (
        told_servers("a", "b") as [a, b],
        gateway_to(a.address, b.address) as address,
    ):
        a.health.set_serving(False)
        wait_until(lambda: answered_by(address) == {"b": CALLS})

        a.health.set_serving(True)
        wait_until(lambda: answered_by(address)["a"] > 0)


def test_where_none_serves_the_servers_themselves_say_why() -> None:
    with told_servers("a") as [a]:
        a.health.set_serving(False)
        with gateway_to(a.address) as address:
            answer = call(address, "GET", "/students/DatabaseUnavailable/courses")

    assert answer.refusal.reason == "DATABASE_UNAVAILABLE"


def test_a_server_that_cannot_be_reached_is_left_out_also_without_health_checks() -> None:
    admin = free_address()
    with told_servers("a") as [a]:
        config = gateway.local(free_address(), a.address, free_address())
        config["admin"] = {"address": gateway.address(admin)}
        [cluster] = config["static_resources"]["clusters"]
        del cluster["health_checks"]
        with envoy(config) as address:
            assert answered_by(address) == {"a": CALLS}

            stats = call(admin, "GET", "/stats?filter=outlier_detection.ejections_active")

    assert stats.body == b"cluster.enrollment.outlier_detection.ejections_active: 1\n"


def test_no_answer_takes_a_server_out() -> None:
    """Callers could have it at will, as by a deadline that is too short."""
    with (
        told_servers("a", "b") as [a, b],
        gateway_to(a.address, b.address) as address,
    ):
        for error in ("RuntimeError", "DatabaseUnavailable", "DeadlineExceeded"):
            for _ in range(CALLS // 2):
                call(address, "GET", f"/students/{error}/courses")

            assert answered_by(address).keys() == {"a", "b"}
