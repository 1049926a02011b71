"""What a server tells of itself: its metrics, and its log."""

import json
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import URL

from enrollment import CourseNotFound, EnrollmentClient, PermissionDenied, Unauthenticated
from tests.e2e.conftest import Serve
from tests.support.databases import Databases
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, key_set
from tests.support.rows import insert_students_and_courses
from tests.support.serving import free_address
from tests.support.waiting import wait_until

SERVICE = "enrollment.v1.EnrollmentService"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def url(sqlite_databases: Databases) -> URL:
    url = sqlite_databases.fresh()
    insert_students_and_courses(url)
    return url


def scrape(address: str) -> Samples:
    """The value of every sample, by name and labels."""
    with urllib.request.urlopen(f"http://{address}/metrics") as response:
        text = response.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def told(samples: Samples, method: str) -> float:
    """How many calls of a method the metrics tell of, whatever became of them."""
    return sum(
        value
        for (name, labels), value in samples.items()
        if name == "grpc_server_call_duration_seconds_count"
        and ("grpc_method", f"{SERVICE}/{method}") in labels
    )


def test_metrics_agree_with_what_was_called(serve: Serve, url: URL) -> None:
    address = free_address()
    with (
        serve(url, "--metrics-listen", address) as server,
        EnrollmentClient(server.address) as client,
    ):
        for _ in range(3):
            client.associate_courses("ada", ["chess", "algebra"])
        with pytest.raises(CourseNotFound):
            client.associate_courses("ada", ["x"])
        list(client.list_student_courses("ada"))
        client.remove_course("ada", "chess")
        # Told last, and a little later than the call is answered.
        last = ("AssociateCourses", "ListStudentCourses", "RemoveCourse")
        wait_until(lambda: sum(told(scrape(address), method) for method in last) == 6)
        samples = scrape(address)

    def value(name: str, method: str = "", **labels: str) -> float:
        if method:
            labels["grpc_method"] = f"{SERVICE}/{method}"
        return samples[name, frozenset(labels.items())]

    assert value("grpc_server_call_started_total", "AssociateCourses") == 4
    duration = "grpc_server_call_duration_seconds"
    assert value(f"{duration}_count", "AssociateCourses", grpc_status="OK") == 3
    assert value(f"{duration}_count", "AssociateCourses", grpc_status="NOT_FOUND") == 1
    assert value(f"{duration}_count", "ListStudentCourses", grpc_status="OK") == 1
    assert 0 < value(f"{duration}_sum", "RemoveCourse", grpc_status="OK") < 10
    received = "grpc_server_call_rcvd_total_compressed_message_size_bytes"
    assert value(f"{received}_sum", "ListStudentCourses", grpc_status="OK") == len(b"\x0a\x03ada")
    sent = "grpc_server_call_sent_total_compressed_message_size_bytes"
    assert value(f"{sent}_sum", "RemoveCourse", grpc_status="OK") == len(b"\x08\x01")
    assert value(f"{sent}_sum", "AssociateCourses", grpc_status="NOT_FOUND") == 0
    assert value("enrollment_associations_created_total") == 2
    assert value("enrollment_associations_removed_total") == 1
    assert value("enrollment_conflicts_retried_total") == 0
    assert value("enrollment_calls_shed_total") == 0
    assert value("enrollment_pool_size") == 8
    assert value("enrollment_serving") == 1
    assert value("enrollment_database_seconds_count") >= 6


def test_every_call_is_one_line_of_the_log(serve: Serve, url: URL, folder: Path) -> None:
    issuer = Issuer(algorithm="ES256")
    (folder / "keys.json").write_bytes(key_set(issuer))
    (folder / "policy.toml").write_text('writer = ["portal"]')
    flags = [f"--jwks={folder}/keys.json", f"--policy={folder}/policy.toml"]
    flags += [f"--jwt-issuer={ISSUER}", f"--jwt-audience={AUDIENCE}"]
    good, bad = issuer.token("portal"), Issuer(algorithm="ES256").token("portal")
    trace = "0af7651916cd43dd8448eb211c80319c"

    with serve(url, *flags) as server:
        with EnrollmentClient(server.address, token=lambda: good) as client:
            sent = [("x-request-id", "r-1"), ("traceparent", f"00-{trace}-b7ad6b7169203331-01")]
            client.associate_courses("ada", ["chess"], metadata=sent)
            with pytest.raises(CourseNotFound) as refusal:
                client.associate_courses("ada", ["no-course"])
            with pytest.raises(PermissionDenied):
                list(client.list_student_courses("ada"))
        with (
            EnrollmentClient(server.address, token=lambda: bad) as client,
            pytest.raises(Unauthenticated),
        ):
            client.remove_course("ada", "chess")
        wait_until(lambda: len(server.errors().splitlines()) == 4)
        log = server.errors()

    told = ("method", "code", "reason", "caller", "student_id", "request_id", "trace_id")
    lines = [json.loads(line) for line in log.splitlines()]
    assert [tuple(line[key] for key in told) for line in lines[:2]] == [
        ("AssociateCourses", "OK", "", "portal", "ada", "r-1", trace),
        (
            *("AssociateCourses", "NOT_FOUND", "COURSE_NOT_FOUND", "portal", "ada"),
            *(refusal.value.request_id, ""),
        ),
    ]
    # Of one who is not known, nothing is told that was not looked at.
    assert [
        tuple(line[key] for key in ("reason", "caller", "student_id")) for line in lines[2:]
    ] == [("PERMISSION_DENIED", "portal", ""), ("UNAUTHENTICATED", "", "")]
    for secret in (good, bad, good.rpartition(".")[2], "no-course", "chess"):
        assert secret not in log
