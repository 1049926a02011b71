"""A file goes into the database chunk by chunk, and no chunk knows of another."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from enrollment_server.db import database
from enrollment_server.db.bulk import Bulk
from enrollment_server.errors import Conflict
from enrollment_server.loading import loader
from enrollment_server.loading.loader import Loader, Tally
from enrollment_server.loading.source import ENROLLMENTS, CsvSource, Rejection
from tests.support.rows import insert_students_and_courses


@pytest.fixture
def engine(engine: Engine) -> Engine:
    insert_students_and_courses(engine.url)
    return engine


class Watched:
    """A loader, and what it told."""

    def __init__(self, engine: Engine) -> None:
        self.rejections: list[Rejection] = []
        self.positions: list[int] = []
        self._loader = Loader(Bulk(engine), self._reject, self._progress)

    def load(self, source: CsvSource) -> Tally:
        return self._loader.load([source])[ENROLLMENTS]

    def check(self, source: CsvSource) -> Tally:
        return self._loader.check([source])[ENROLLMENTS]

    def _reject(self, _source: CsvSource, rejections: Sequence[Rejection]) -> None:
        self.rejections += rejections

    def _progress(self, source: CsvSource) -> None:
        self.positions.append(source.position)


def source(folder: Path, *lines: str) -> CsvSource:
    path = folder / "enrollments.csv"
    path.write_text("\n".join(["student_id,course_id", *lines, ""]))
    return CsvSource(ENROLLMENTS, path)


def table(engine: Engine) -> list[tuple[str, str]]:
    query = text("SELECT student_id, course_id FROM student_courses ORDER BY 1, 2")
    with engine.connect() as connection:
        return [(student_id, course_id) for student_id, course_id in connection.execute(query)]


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_repeated_and_bad_lines_are_told_alike_however_long_a_chunk_is(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(loader, "CHUNK", chunk)
    enrollments = source(
        folder,
        "bob,chess",
        "ada,nothing",
        "bob,chess",
        "ada",
        "nobody,chess",
        '"ada","chess"',
        "ada,nothing",
        "bob,chess",
        "a da,chess",
    )
    rejections = [
        Rejection(3, "there is no course nothing"),
        Rejection(5, "has 1 cells, not 2"),
        Rejection(6, "there is no student nobody"),
        Rejection(8, "there is no course nothing"),
        Rejection(
            10, "student_id is not an id (an id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ : -)"
        ),
    ]

    checking, loading, again = Watched(engine), Watched(engine), Watched(engine)

    assert checking.check(enrollments).rejected == 5
    assert table(engine) == []
    assert loading.load(enrollments) == Tally(read=9, inserted=2, unchanged=2, rejected=5)
    assert again.load(enrollments) == Tally(read=9, inserted=0, unchanged=4, rejected=5)
    assert checking.rejections == loading.rejections == again.rejections == rejections
    assert table(engine) == [("ada", "chess"), ("bob", "chess")]


def test_no_more_is_read_than_the_chunk_that_is_written(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "CHUNK", 2)
    enrollments = source(folder, *["ada,chess"] * 5)
    watched = Watched(engine)

    watched.load(enrollments)

    header, line = len("student_id,course_id\n"), len("ada,chess\n")
    assert watched.positions == [header + n * line for n in (2, 4, 5)]


def test_a_chunk_that_fails_leaves_those_before_it_and_nothing_of_itself(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "CHUNK", 2)
    monkeypatch.setattr(database, "ATTEMPTS", 1)
    enrollments = source(folder, "ada,algebra", "ada,chess", "bob,Biology", "bob,chess")
    insertions: list[str] = []

    def delete_the_student(_connection: object, cursor: object, statement: str, *_: object) -> None:
        """As another transaction might, between the look at bob and the writing of his rows."""
        if "INSERT INTO student_courses" in statement:
            insertions.append(statement)
            if len(insertions) == 2:
                cursor.execute("DELETE FROM students WHERE id = 'bob'")  # type: ignore[attr-defined]

    event.listen(engine, "before_cursor_execute", delete_the_student)
    with pytest.raises(Conflict):
        Watched(engine).load(enrollments)
    event.remove(engine, "before_cursor_execute", delete_the_student)

    assert table(engine) == [("ada", "algebra"), ("ada", "chess")]
    assert Watched(engine).load(enrollments) == Tally(read=4, inserted=2, unchanged=2)
