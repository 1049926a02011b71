"""A server whose connections are lent to it, by a PgBouncer, for a transaction."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import URL

from enrollment import EnrollmentClient, EnrollmentError, Outcome
from tests.e2e.conftest import Serve
from tests.support.databases import blocked
from tests.support.pgbouncer import needs_pgbouncer, pgbouncer

pytestmark = needs_pgbouncer


@pytest.fixture
def url(postgresql: URL) -> Iterator[URL]:
    with pgbouncer(postgresql) as url:
        yield url


def test_many_callers_share_its_two_connections(serve: Serve, url: URL) -> None:
    with (
        serve(url, "--transaction-pooling") as server,
        EnrollmentClient(server.address) as client,
        ThreadPoolExecutor(16) as threads,
    ):

        def call(number: int) -> tuple[bool, bool]:
            student = "ada" if number % 2 else "bob"
            [association] = client.associate_courses(student, ["chess"])
            listed = [taken.course.id for taken in client.list_student_courses(student)]
            return association.outcome is Outcome.CREATED, listed == ["chess"]

        answers = list(threads.map(call, range(200)))
        assert client.remove_course("ada", "chess")

    assert sum(created for created, _ in answers) == 2
    assert all(listed for _, listed in answers)


def test_a_locked_row_keeps_no_connection_from_others(
    serve: Serve, url: URL, postgresql: URL
) -> None:
    with (
        serve(url, "--transaction-pooling") as server,
        EnrollmentClient(server.address) as client,
        ThreadPoolExecutor(8) as threads,
        blocked(postgresql, "ada", "chess"),
    ):

        def want_what_is_locked(_: int) -> bool:
            with pytest.raises(EnrollmentError):
                client.associate_courses("ada", ["chess"], timeout=3)
            return True

        wanting = threads.map(want_what_is_locked, range(8))
        for _ in range(20):
            client.associate_courses("bob", ["chess"], timeout=2)
            client.remove_course("bob", "chess", timeout=2)

        assert all(wanting)


def test_to_migrate_through_it_is_refused(
    url: URL, capfd: pytest.CaptureFixture[str], serve: Serve
) -> None:
    with (
        pytest.raises(pytest.fail.Exception, match="contradicts"),
        serve(url, "--transaction-pooling", "--migrate"),
    ):
        pass
