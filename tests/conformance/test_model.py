"""Random sequences of calls and loads agree with a dictionary of dictionaries."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import URL

from enrollment import (
    CourseNotAssociated,
    CourseNotFound,
    EnrollmentClient,
    Outcome,
    StudentNotFound,
)
from enrollment_server.db import backends
from enrollment_server.db.bulk import Bulk
from enrollment_server.loading.loader import Loader
from enrollment_server.loading.source import ENROLLMENTS, STUDENTS, CsvSource
from tests.conformance.conftest import COURSES

STUDENT_NAMES = ["Ann", "Ben", "unknown"]
COURSE_IDS = [*COURSES[:6], "unknown"]


class Model(RuleBasedStateMachine):
    """Each run has students of its own, so that the database need not be emptied."""

    client: EnrollmentClient
    loader: Loader
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.run = uuid.uuid4().hex
        self.courses: dict[str, dict[str, datetime | None]] = {}
        self.load("students", "id,name,email", *(f"{self.id(n)},{n}," for n in STUDENT_NAMES[:2]))
        for name in STUDENT_NAMES[:2]:
            self.courses[self.id(name)] = {}

    def id(self, name: str) -> str:
        return f"{name}-{self.run}"

    def load(self, name: str, *lines: str) -> None:
        path = self.folder / f"{name}.csv"
        path.write_text("\n".join(lines) + "\n")
        layout = {"students": STUDENTS, "enrollments": ENROLLMENTS}[name]
        self.loader.load([CsvSource(layout, path)])

    @rule(
        name=st.sampled_from(STUDENT_NAMES),
        course_ids=st.lists(st.sampled_from(COURSE_IDS), min_size=1, max_size=8),
    )
    def associate(self, name: str, course_ids: list[str]) -> None:
        taken = self.courses.get(self.id(name))
        if taken is None:
            with pytest.raises(StudentNotFound):
                self.client.associate_courses(self.id(name), course_ids)
            return
        if "unknown" in course_ids:
            with pytest.raises(CourseNotFound) as refusal:
                self.client.associate_courses(self.id(name), course_ids)
            assert refusal.value.course_ids == ("unknown",)
            return
        answer = self.client.associate_courses(self.id(name), course_ids)
        assert [a.course_id for a in answer] == list(dict.fromkeys(course_ids))
        for association in answer:
            there = association.course_id in taken
            assert (association.outcome is Outcome.ALREADY_ASSOCIATED) == there
            if not there or taken[association.course_id] is None:  # a load tells no time
                taken[association.course_id] = association.create_time
            assert association.create_time == taken[association.course_id]

    @rule(
        name=st.sampled_from(STUDENT_NAMES),
        course_id=st.sampled_from(COURSE_IDS),
        allow_missing=st.booleans(),
    )
    def remove(self, name: str, course_id: str, allow_missing: bool) -> None:
        def remove() -> bool:
            return self.client.remove_course(self.id(name), course_id, allow_missing=allow_missing)

        taken = self.courses.get(self.id(name))
        if taken is None:
            with pytest.raises(StudentNotFound):
                remove()
        elif course_id in taken or allow_missing:
            assert remove() == (course_id in taken)
            taken.pop(course_id, None)
        else:
            with pytest.raises(CourseNotAssociated):
                remove()

    @rule(name=st.sampled_from(STUDENT_NAMES), page_size=st.integers(0, 4))
    def list_courses(self, name: str, page_size: int) -> None:
        taken = self.courses.get(self.id(name))
        courses = self.client.list_student_courses(self.id(name), page_size=page_size)
        if taken is None:
            with pytest.raises(StudentNotFound):
                list(courses)
            return
        assert [t.course.id for t in courses] == sorted(taken)
        for student_course in courses:
            time = taken[student_course.course.id]
            assert time in (None, student_course.create_time)
        assert (
            all(0 < len(page.courses) <= (page_size or 100) for page in courses.pages) or not taken
        )

    @rule(
        pairs=st.lists(
            st.tuples(st.sampled_from(STUDENT_NAMES), st.sampled_from(COURSE_IDS)), max_size=8
        )
    )
    def load_enrollments(self, pairs: list[tuple[str, str]]) -> None:
        lines = [f"{self.id(name)},{course_id}" for name, course_id in pairs]
        self.load("enrollments", "student_id,course_id", *lines)
        for name, course_id in pairs:
            taken = self.courses.get(self.id(name))
            if taken is not None and course_id != "unknown":
                taken.setdefault(course_id, None)

    @invariant()
    def nothing_else_has_changed(self) -> None:
        for student_id, taken in self.courses.items():
            listed = self.client.list_student_courses(student_id)
            assert {t.course.id for t in listed} == set(taken)


@pytest.fixture
def model(url: URL, address: str, folder: Path) -> Iterator[type[Model]]:
    engine = backends.create_engine(url)
    with EnrollmentClient(address) as open_client:

        class ModelOfThisServer(Model):
            client = open_client
            loader = Loader(Bulk(engine), lambda *_: None, lambda *_: None)

        ModelOfThisServer.folder = folder
        yield ModelOfThisServer


def test_the_service_agrees_with_the_model(model: type[Model], soak: bool) -> None:
    chosen: Any = settings(
        max_examples=500 if soak else 25,
        stateful_step_count=30,
        derandomize=not soak,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(model, settings=chosen)
