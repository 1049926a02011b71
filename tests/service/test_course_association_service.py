"""The rules of the association service, on every database."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, text

from enrollment_server.db import backends
from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import AssociateRequest, Enrollments
from enrollment_server.deadline import NEVER
from enrollment_server.errors import (
    CourseNotAssociated,
    CourseNotFound,
    StudentNotFound,
)
from tests.service.conftest import MANY
from tests.support.databases import Databases
from tests.support.rows import insert_students_and_courses
from tests.support.service import WaitingService, service_of


def course_ids(service: WaitingService, student_id: str = "ada") -> list[str]:
    page = service.get_student_courses(student_id, page_size=1000)
    return [taken.course.id for taken in page.courses]


class TestAssociate:
    def test_makes_associations_in_the_order_asked_for(self, service: WaitingService) -> None:
        before = datetime.now(UTC)
        associations = service.associate_student_with_courses("ada", ["chess", "algebra"])

        assert [(a.course_id, a.created) for a in associations] == [
            ("chess", True),
            ("algebra", True),
        ]
        for association in associations:
            assert before <= association.create_time <= datetime.now(UTC)
            assert association.create_time.utcoffset() == timedelta(0)

    def test_leaves_an_association_that_is_there_as_it_was(self, service: WaitingService) -> None:
        [first] = service.associate_student_with_courses("ada", ["chess"])
        new, old = service.associate_student_with_courses("ada", ["algebra", "chess"])
        [again] = service.associate_student_with_courses("ada", ["chess"])

        assert (new.created, old.created, again.created) == (True, False, False)
        assert old.create_time == again.create_time == first.create_time
        assert new.create_time > first.create_time

    def test_answers_a_repeated_id_once(self, service: WaitingService) -> None:
        associations = service.associate_student_with_courses("ada", ["chess", "algebra", "chess"])

        assert [(a.course_id, a.created) for a in associations] == [
            ("chess", True),
            ("algebra", True),
        ]

    def test_keeps_students_apart(self, service: WaitingService) -> None:
        service.associate_student_with_courses("ada", ["chess"])
        [association] = service.associate_student_with_courses("bob", ["chess"])

        assert association.created

    def test_refuses_an_unknown_student(self, service: WaitingService) -> None:
        with pytest.raises(StudentNotFound) as refusal:
            service.associate_student_with_courses("eve", ["chess", "unknown"])

        assert refusal.value.metadata == {"student_id": "eve"}

    def test_names_every_unknown_course_and_writes_nothing(self, service: WaitingService) -> None:
        with pytest.raises(CourseNotFound) as refusal:
            service.associate_student_with_courses("ada", ["x2", "chess", "x1", "Chess", "x2"])

        assert refusal.value.metadata == {"course_ids": "x2,x1,Chess"}
        assert course_ids(service) == []

    def test_refuses_unknown_courses_though_the_others_are_there(
        self, service: WaitingService
    ) -> None:
        service.associate_student_with_courses("ada", ["chess"])

        with pytest.raises(CourseNotFound):
            service.associate_student_with_courses("ada", ["chess", "unknown"])

    def test_tells_one_of_many_callers_at_once_that_it_made_it(
        self, service: WaitingService
    ) -> None:
        with ThreadPoolExecutor(16) as callers:
            answers = list(
                callers.map(
                    lambda _: service.associate_student_with_courses("ada", ["chess", "algebra"]),
                    range(32),
                )
            )

        for place in (0, 1):
            assert sum(answer[place].created for answer in answers) == 1
            assert len({answer[place].create_time for answer in answers}) == 1

    def test_sees_that_a_course_went_after_it_looked(
        self, service: WaitingService, engine: Engine
    ) -> None:
        def delete_the_course() -> None:
            with engine.begin() as connection:
                connection.execute(text("DELETE FROM courses WHERE id = 'chess'"))

        with between_look_and_write(engine, delete_the_course), pytest.raises(CourseNotFound):
            service.associate_student_with_courses("ada", ["algebra", "chess"])

        assert course_ids(service) == []

    def test_answers_as_of_one_moment_when_an_association_goes_after_it_looked(
        self, service: WaitingService, engine: Engine
    ) -> None:
        service.associate_student_with_courses("ada", ["chess"])

        with between_look_and_write(engine, lambda: service.remove_student_course("ada", "chess")):
            associations = service.associate_student_with_courses("ada", ["algebra", "chess"])

        assert [a.created for a in associations] == [True, True]
        assert course_ids(service) == ["algebra", "chess"]

    def test_answers_each_of_a_batch_as_of_one_moment(
        self, service: WaitingService, engine: Engine
    ) -> None:
        taken = service.associate_student_with_courses("ada", ["algebra", "chess"])

        def remove_both() -> None:
            service.remove_student_course("ada", "algebra")
            service.remove_student_course("ada", "chess")

        with between_look_and_write(engine, remove_both):
            before, after = Enrollments(Database(engine)).associate(
                [
                    AssociateRequest("ada", ("algebra", "chess")),
                    AssociateRequest("ada", ("chess", "Biology")),
                ],
                NEVER,
            )

        assert [(a.course_id, a.created, a.create_time) for a in before.associations] == [
            (a.course_id, False, a.create_time) for a in taken
        ]
        assert [(a.course_id, a.created) for a in after.associations] == [
            ("chess", True),
            ("Biology", True),
        ]


class TestList:
    def test_orders_courses_bytewise(self, service: WaitingService) -> None:
        service.associate_student_with_courses("ada", ["chess", "algebra", "Biology"])

        assert course_ids(service) == ["Biology", "algebra", "chess"]

    def test_tells_what_a_course_is(self, service: WaitingService) -> None:
        [association] = service.associate_student_with_courses("ada", ["algebra"])
        [taken] = service.get_student_courses("ada").courses

        assert (taken.course.code, taken.course.title) == ("MAT 210", "Linear Algebra")
        assert taken.create_time == association.create_time

    def test_has_an_empty_code_where_there_is_none(self, service: WaitingService) -> None:
        service.associate_student_with_courses("ada", ["chess"])
        [taken] = service.get_student_courses("ada").courses

        assert taken.course.code == ""

    def test_of_a_student_without_courses_is_empty(self, service: WaitingService) -> None:
        page = service.get_student_courses("bob")

        assert (page.courses, page.next_after) == ((), "")

    def test_refuses_an_unknown_student(self, service: WaitingService) -> None:
        with pytest.raises(StudentNotFound):
            service.get_student_courses("eve")

    @pytest.mark.parametrize(
        ("asked", "given"), [(0, 100), (1, 1), (999, 999), (1000, 1000), (1001, 1000)]
    )
    def test_clamps_the_page_size(self, service: WaitingService, asked: int, given: int) -> None:
        for start in range(0, len(MANY), 100):
            service.associate_student_with_courses("ada", MANY[start : start + 100])

        page = service.get_student_courses("ada", page_size=asked)

        assert [taken.course.id for taken in page.courses] == MANY[:given]
        assert page.next_after == MANY[given - 1]

    def test_goes_on_after_a_course_that_has_gone(self, service: WaitingService) -> None:
        service.associate_student_with_courses("ada", ["chess", "algebra", "Biology"])
        service.remove_student_course("ada", "algebra")
        page = service.get_student_courses("ada", after="algebra")

        assert [taken.course.id for taken in page.courses] == ["chess"]

    @pytest.mark.parametrize(("size", "after"), [(1, "Biology"), (2, "algebra"), (3, "")])
    def test_tells_where_the_next_page_begins_if_there_is_one(
        self, service: WaitingService, size: int, after: str
    ) -> None:
        service.associate_student_with_courses("ada", ["chess", "algebra", "Biology"])

        assert service.get_student_courses("ada", size).next_after == after

    def test_leaves_out_a_course_that_is_gone_against_all_rules(
        self, sqlite_databases: Databases
    ) -> None:
        """SQLite keeps foreign keys only for programs that ask it to."""
        url = sqlite_databases.fresh()
        insert_students_and_courses(url)
        engine = backends.create_engine(url)
        service = WaitingService(service_of(engine))
        service.associate_student_with_courses("ada", ["algebra", "chess"])
        with closing(sqlite3.connect(str(url.database))) as connection, connection:
            connection.execute("DELETE FROM courses WHERE id = 'algebra'")

        assert course_ids(service) == ["chess"]
        page = service.get_student_courses("ada", page_size=1)
        assert (page.courses, page.next_after) == ((), "algebra")


class TestRemove:
    def test_removes(self, service: WaitingService) -> None:
        service.associate_student_with_courses("ada", ["chess", "algebra"])
        service.associate_student_with_courses("bob", ["chess"])

        assert service.remove_student_course("ada", "chess")
        assert course_ids(service, "ada") == ["algebra"]
        assert course_ids(service, "bob") == ["chess"]

    @pytest.mark.parametrize("course_id", ["chess", "unknown"])
    def test_refuses_a_course_not_taken(self, service: WaitingService, course_id: str) -> None:
        with pytest.raises(CourseNotAssociated) as refusal:
            service.remove_student_course("ada", course_id)

        assert refusal.value.metadata == {"student_id": "ada", "course_id": course_id}

    @pytest.mark.parametrize("course_id", ["chess", "unknown"])
    def test_takes_a_missing_course_lightly_if_asked_to(
        self, service: WaitingService, course_id: str
    ) -> None:
        assert not service.remove_student_course("ada", course_id, allow_missing=True)

    @pytest.mark.parametrize("allow_missing", [False, True])
    def test_refuses_an_unknown_student(self, service: WaitingService, allow_missing: bool) -> None:
        with pytest.raises(StudentNotFound):
            service.remove_student_course("eve", "chess", allow_missing=allow_missing)

    def test_tells_one_of_many_callers_at_once_that_it_removed_it(
        self, service: WaitingService
    ) -> None:
        service.associate_student_with_courses("ada", ["chess"])

        with ThreadPoolExecutor(16) as callers:
            removed = list(
                callers.map(
                    lambda _: service.remove_student_course("ada", "chess", allow_missing=True),
                    range(32),
                )
            )

        assert sum(removed) == 1

    def test_lets_an_association_be_made_anew(self, service: WaitingService) -> None:
        [first] = service.associate_student_with_courses("ada", ["chess"])
        service.remove_student_course("ada", "chess")
        [second] = service.associate_student_with_courses("ada", ["chess"])

        assert second.created
        assert second.create_time > first.create_time


@contextmanager
def between_look_and_write(engine: Engine, act: Callable[[], object]) -> Iterator[None]:
    """Do something when a unit of work has looked, and is about to begin its transaction."""
    steps = [act]

    def next_step(*_: object) -> None:
        if steps:
            steps.pop()()

    event.listen(engine, "begin", next_step)
    yield
    event.remove(engine, "begin", next_step)
    assert not steps
