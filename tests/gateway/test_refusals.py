"""Every refusal by HTTP, as the table in docs/http.md has it."""

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from scripts import gateway
from scripts.reference.envoy import OF_A_BODY, OF_ANY_CALL, REQUEST_ID, OwnRefusal

from tests.support.databases import Databases, locked
from tests.support.gateway import JSON, TABLE, Answer, Row, call, envoy, raw
from tests.support.places import BIN
from tests.support.refusing import told_servers
from tests.support.rows import insert_students_and_courses
from tests.support.serving import free_address, serving_process
from tests.support.statuses import Refusal
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Gateways:
    """Addresses of Envoys: before a server that is real, told, silent, and before none."""

    real: str
    told: str
    silent: str
    deserted: str


@pytest.fixture(scope="module")
def gateways(address: str) -> Iterator[Gateways]:
    with told_servers("") as [server], socket.create_server(("127.0.0.1", 0)) as listener:
        hasty = gateway.local(free_address(), server.address)
        gateway.connection_manager(hasty)["request_timeout"] = "0.2s"
        patient = gateway.local(free_address(), f"127.0.0.1:{listener.getsockname()[1]}")
        alone = gateway.local(free_address(), free_address())
        with envoy(hasty) as told, envoy(patient) as silent, envoy(alone) as deserted:
            yield Gateways(address, told, silent, deserted)


def told(student: str, **headers: str) -> Callable[[Gateways], Answer]:
    """The answer of the server that is told."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda to: call(to.told, "GET", f"/students/{student}/courses", headers=sent)


def real(
    method: str, path: str, body: str | None = None, **headers: str
) -> Callable[[Gateways], Answer]:
    """The answer of the real one."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda to: call(to.real, method, path, body, sent)


ADA = "/students/ada/courses"
HEAD = f"POST {ADA} HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: 9\r\n\r\n"

CASES: dict[Row, Callable[[Gateways], Answer]] = {
    (400, "INVALID_ARGUMENT", "INVALID_REQUEST"): real("POST", ADA, "{}"),
    (400, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID"): real("GET", f"{ADA}?page_token=x"),
    (401, "UNAUTHENTICATED", "UNAUTHENTICATED"): told("Unauthenticated"),
    (403, "PERMISSION_DENIED", "PERMISSION_DENIED"): told("PermissionDenied"),
    (403, "INVALID_ARGUMENT", "INVALID_REQUEST"): real(
        "GET", ADA, connection="upgrade", upgrade="websocket"
    ),
    (404, "NOT_FOUND", "STUDENT_NOT_FOUND"): real("GET", "/students/nobody/courses"),
    (404, "NOT_FOUND", "COURSE_NOT_FOUND"): real("POST", ADA, '{"course_ids": ["x-1"]}'),
    (404, "NOT_FOUND", "COURSE_NOT_ASSOCIATED"): real("DELETE", f"{ADA}/x-1"),
    (404, "NOT_FOUND", ""): real("GET", "/"),
    (405, "UNIMPLEMENTED", ""): real("PUT", ADA, "{}"),
    (408, "DEADLINE_EXCEEDED", ""): lambda to: raw(to.told, HEAD.encode()),
    (409, "ABORTED", "CONFLICT"): told("Conflict"),
    (413, "RESOURCE_EXHAUSTED", ""): real("POST", ADA, " " * (4 * 2**20 + 1)),
    (415, "INVALID_ARGUMENT", "INVALID_REQUEST"): real(
        "POST", ADA, "{}", content_type="text/plain"
    ),
    (426, "INVALID_ARGUMENT", "INVALID_REQUEST"): lambda to: raw(
        to.real, f"GET {ADA} HTTP/1.0\r\n\r\n".encode()
    ),
    (429, "RESOURCE_EXHAUSTED", "OVERLOADED"): told("Overloaded"),
    (431, "RESOURCE_EXHAUSTED", ""): real("GET", ADA, cookie="x" * 12 * 1024),
    (500, "INTERNAL", "INTERNAL"): told("RuntimeError"),
    (500, "INTERNAL", ""): told("long", x_request_id=REQUEST_ID),
    (503, "UNAVAILABLE", "DATABASE_UNAVAILABLE"): told("DatabaseUnavailable"),
    (503, "UNAVAILABLE", "SHUTTING_DOWN"): told("ShuttingDown"),
    (503, "UNAVAILABLE", ""): lambda to: call(to.deserted, "GET", ADA),
    (504, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"): told("DeadlineExceeded"),
    (504, "DEADLINE_EXCEEDED", ""): told("slow", grpc_timeout="200m"),
}
# A server that is slow may notice the deadline before Envoy does, and has words of its own.
WORDED: dict[Row, Callable[[Gateways], Answer]] = {
    **CASES,
    (504, "DEADLINE_EXCEEDED", ""): lambda to: call(
        to.silent, "GET", ADA, headers={"grpc-timeout": "200m"}
    ),
}


@pytest.mark.parametrize("row", CASES, ids=str)
def test_a_refusal_is_as_the_table_has_it(gateways: Gateways, row: Row) -> None:
    answer = CASES[row](gateways)

    assert (answer.status, answer.refusal.code, answer.refusal.reason) == row


@pytest.mark.parametrize("refusal", [*OF_ANY_CALL, *OF_A_BODY], ids=lambda one: one.http)
def test_one_of_the_gateway_is_worded_as_it_is_shown(
    gateways: Gateways, refusal: OwnRefusal
) -> None:
    answer = WORDED[refusal.http, refusal.code, refusal.name](gateways)

    assert (answer.status, answer.json) == (refusal.http, refusal.body)


def test_a_server_that_is_overloaded_says_so(sqlite_databases: Databases) -> None:
    """A real one, which is given more than it takes while nothing can be answered."""
    url = sqlite_databases.fresh()
    insert_students_and_courses(url)
    flags = ("--threads", "1", "--queue", "1")
    with (
        serving_process(BIN / "enrollment-server", url, *flags) as server,
        envoy(gateway.local(free_address(), server.address)) as address,
        ThreadPoolExecutor(10) as threads,
    ):
        with locked(url):
            calls = [
                threads.submit(call, address, "POST", ADA, '{"course_ids": ["chess"]}')
                for _ in range(10)
            ]
            wait_until(lambda: sum(one.done() for one in calls) == 8)
        answers = Counter(one.result().status for one in calls)

    assert answers == {429: 8, 200: 2}


def test_the_table_has_each_once_and_no_other() -> None:
    assert sorted(TABLE) == sorted(CASES)


class TestDetails:
    """What a program needs besides the reason."""

    def test_the_student_that_is_not_there(self, gateways: Gateways) -> None:
        answer = call(gateways.real, "GET", "/students/nobody/courses")

        assert answer.refusal == Refusal(
            "NOT_FOUND",
            "There is no student nobody.",
            "STUDENT_NOT_FOUND",
            {"student_id": "nobody"},
        )

    def test_every_course_that_is_not_there(self, gateways: Gateways) -> None:
        """However many and long: to Envoy they come as trailers, of 13 KiB here."""
        unknown = [f"{number:0>128}" for number in range(100)]

        answer = call(gateways.real, "POST", ADA, json.dumps({"course_ids": unknown}))

        assert answer.refusal.metadata == {"course_ids": ",".join(unknown)}

    def test_the_course_that_is_not_taken(self, gateways: Gateways) -> None:
        answer = call(gateways.real, "DELETE", f"{ADA}/algebra")

        assert answer.refusal.metadata == {"student_id": "ada", "course_id": "algebra"}

    def test_a_defect_tells_nothing_but_where_to_look(self, gateways: Gateways) -> None:
        refusal = told("RuntimeError")(gateways).refusal

        error_id = refusal.metadata["error_id"]
        assert refusal.message == f"The server failed; its log tells more under {error_id}."
        assert refusal.metadata.keys() == {"error_id"}

    def test_a_failure_of_the_gateway_is_found_by_the_request_id(self, gateways: Gateways) -> None:
        answer = told("long", x_request_id="r-1")(gateways)

        assert answer.refusal.message == "The gateway failed; its log tells more under r-1."
