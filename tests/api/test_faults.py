"""What a caller is told when it is not the caller's fault, and that nothing else is told."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import URL, text

from enrollment.v1 import enrollment_pb2 as pb
from enrollment_server import errors
from enrollment_server.db import backends, connections
from enrollment_server.db import database as db
from enrollment_server.db.database import Database
from enrollment_server.deadline import NEVER
from tests.support.api import Api
from tests.support.databases import Databases, locked
from tests.support.rows import insert_students_and_courses
from tests.support.service import service_of, service_on
from tests.support.statuses import Refusal

CALLS: list[Callable[[Api], Any]] = [
    lambda api: api.associate("ada", "chess"),
    lambda api: api.list_courses("ada"),
    lambda api: api.remove("ada", "chess"),
]


@pytest.mark.parametrize("call", CALLS, ids=["associate", "list", "remove"])
class TestFaults:
    """What a caller is told when it is not the caller's fault."""

    @pytest.mark.parametrize(
        "url", ["postgresql+psycopg://u:secret@127.0.0.1:1/x", "sqlite:////no/such/folder/x.db"]
    )
    def test_a_database_away_is_unavailable(self, url: str, call: Callable[[Api], Any]) -> None:
        engine = backends.create_engine(backends.parse_url(url))

        assert call(Api(service_of(engine))) == Refusal(
            "UNAVAILABLE",
            "The database is not available; try again after a pause.",
            "DATABASE_UNAVAILABLE",
        )

    def test_an_exhausted_pool_is_unavailable(
        self, url: URL, call: Callable[[Api], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.01)
        database = Database(backends.create_engine(url))
        database.connections.take(NEVER, lambda: False)

        answer = call(Api(service_on(database)))

        assert (answer.code, answer.reason) == ("UNAVAILABLE", "DATABASE_UNAVAILABLE")

    def test_a_defect_is_internal_and_says_nothing_but_where_to_look(
        self, call: Callable[[Api], Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError("SELECT secret FROM students")

        with caplog.at_level(logging.ERROR):
            answer = call(Api(Broken()))

        error_id = answer.metadata["error_id"]
        assert answer == Refusal(
            "INTERNAL",
            f"The server failed; its log tells more under {error_id}.",
            "INTERNAL",
            {"error_id": error_id},
        )
        assert error_id in caplog.text
        assert "SELECT secret FROM students" in caplog.text


class TestConflicts:
    """Others stay in the way, to the last attempt."""

    @pytest.fixture(autouse=True)
    def no_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(db, "LONGEST_PAUSE", 0)

    @pytest.mark.parametrize("call", [CALLS[0], CALLS[2]], ids=["associate", "remove"])
    def test_are_aborted_on_sqlite(
        self, sqlite_databases: Databases, call: Callable[[Api], Any]
    ) -> None:
        url = sqlite_databases.fresh()
        insert_students_and_courses(url)
        engine = backends.create_engine(url)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 1")

        with locked(url):
            answer = call(Api(service_of(engine)))

        assert answer == Refusal(
            "ABORTED", "Concurrent changes got in the way; try again.", "CONFLICT"
        )

    @pytest.mark.parametrize("call", [CALLS[0], CALLS[2]], ids=["associate", "remove"])
    def test_are_aborted_on_postgresql(
        self, postgresql_databases: Databases, call: Callable[[Api], Any]
    ) -> None:
        url = postgresql_databases.fresh()
        insert_students_and_courses(url)
        engine = backends.create_engine(url)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$"
                    " BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"
                )
            )
            connection.execute(
                text(
                    "CREATE TRIGGER conflict BEFORE INSERT OR DELETE ON student_courses"
                    " FOR EACH STATEMENT EXECUTE FUNCTION conflict()"
                )
            )

        answer = call(Api(service_of(engine)))

        assert (answer.code, answer.reason) == ("ABORTED", "CONFLICT")


def every_error(kind: type[errors.EnrollmentError]) -> set[type[errors.EnrollmentError]]:
    return {kind}.union(*(every_error(sub) for sub in kind.__subclasses__()))


@pytest.mark.parametrize(
    "kind", sorted(every_error(errors.EnrollmentError) - {errors.EnrollmentError}, key=str)
)
def test_every_error_has_a_published_reason(kind: type[errors.EnrollmentError]) -> None:
    assert f"ERROR_REASON_{kind.reason}" in pb.ErrorReason.DESCRIPTOR.values_by_name
