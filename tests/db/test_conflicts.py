"""Conflicts, injected at the driver: at every statement, at the commit, on every database."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, text

from enrollment_server.db.database import ATTEMPTS, Database
from enrollment_server.db.enrollments import Enrollments
from enrollment_server.errors import Conflict
from tests.db.acts import ACTS, Act, begin_with_chess, conflicts, table
from tests.support.rows import insert_students_and_courses

pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.fixture
def engine(engine: Engine) -> Engine:
    insert_students_and_courses(engine.url)
    begin_with_chess(Enrollments(Database(engine)))
    return engine


class Injection:
    """Raises an error in place of some of the steps that the driver is asked for."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = Exception()
        self.raised = 0
        self.stop()
        for name in ("do_execute", "do_execute_no_params", "do_commit"):
            original = getattr(engine.dialect, name)
            monkeypatch.setattr(engine.dialect, name, self._wrap(original))

    def at(self, raises: Callable[[int], bool]) -> None:
        """Raise at the steps, counted from here, for which this holds."""
        self._steps, self._raises = count(), raises
        self.raised = 0

    def stop(self) -> None:
        """Raise at none."""
        self.at(lambda _step: False)

    def _wrap(self, original: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: Any) -> None:
            if self._raises(next(self._steps)):
                self.raised += 1
                raise self.error
            original(*arguments)

        return step


@pytest.fixture
def injection(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Injection:
    return Injection(engine, monkeypatch)


@pytest.mark.parametrize(("act", "answer", "rows"), ACTS)
def test_wherever_it_is_the_work_is_done_again(
    engine: Engine, injection: Injection, act: Act, answer: Any, rows: list[str]
) -> None:
    enrollments = Enrollments(Database(engine))
    for injection.error in conflicts(engine):
        for place in count():
            with engine.begin() as connection:
                connection.execute(text("DELETE FROM student_courses"))
            begin_with_chess(enrollments)

            injection.at(place.__eq__)
            assert act(enrollments) == answer
            raised = injection.raised
            injection.stop()

            assert table(engine) == rows
            if not raised:  # it takes no more steps than that
                assert place > 0
                break


@pytest.mark.parametrize(("act", "answer", "rows"), ACTS)
def test_that_stays_is_a_conflict_and_nothing_is_written(
    engine: Engine, injection: Injection, act: Act, answer: Any, rows: list[str]
) -> None:
    injection.error = conflicts(engine)[0]
    injection.at(lambda _step: True)

    with pytest.raises(Conflict):
        act(Enrollments(Database(engine)))

    assert injection.raised == ATTEMPTS
    injection.stop()
    assert table(engine) == ["chess"]
