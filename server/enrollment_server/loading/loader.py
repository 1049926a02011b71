"""Files of students, courses and enrolments, brought into the database.

Loading is idempotent: what is there already is left alone, what differs is updated. Each
file goes in chunks, a transaction each; if it stops midway, run it again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import NamedTuple

from enrollment_server.db.bulk import Bulk, Cells, UnknownPair
from enrollment_server.loading.source import (
    COURSES,
    ENROLLMENTS,
    STUDENTS,
    CsvSource,
    Layout,
    Rejection,
    Row,
)

CHUNK = 10_000  # lines: so many are held in memory, and so many rows locked at a time


@dataclass
class Tally:
    """What became of the lines of a file."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {what}" for what, count in asdict(self).items())


class _Outcome(NamedTuple):
    """What became of the rows of a chunk; the others were there, and the same."""

    inserted: int = 0
    updated: int = 0
    rejections: Sequence[Rejection] = ()


class Loader:
    """Goes through files in the order given: students and courses before enrolments.

    `on_rejections` is told of the lines not accepted, `on_progress` of every chunk done.
    Methods return a tally of each file, by its layout; they raise BadFileError,
    DatabaseUnavailable and Conflict.
    """

    def __init__(
        self,
        bulk: Bulk,
        on_rejections: Callable[[CsvSource, Sequence[Rejection]], None],
        on_progress: Callable[[CsvSource], None],
    ) -> None:
        self._bulk = bulk
        self._on_rejections = on_rejections
        self._on_progress = on_progress

    def load(self, sources: Sequence[CsvSource]) -> dict[Layout, Tally]:
        """Load every line that can be."""

        def associate(rows: Sequence[Row]) -> _Outcome:
            inserted, unknown = self._bulk.associate(_cells(rows))
            return _Outcome(inserted, rejections=[_rejection(rows, pair) for pair in unknown])

        write = {
            STUDENTS: lambda rows: _Outcome(*self._bulk.upsert_students(_cells(rows))),
            COURSES: lambda rows: _Outcome(*self._bulk.upsert_courses(_cells(rows))),
            ENROLLMENTS: associate,
        }
        return {source.layout: self._walk(source, write[source.layout]) for source in sources}

    def check(self, sources: Sequence[CsvSource]) -> dict[Layout, Tally]:
        """Reject every line that `load` would, and write nothing."""
        by_layout = {source.layout: source for source in sources}

        def comes_with(layout: Layout, row_id: str | None) -> bool:
            return layout in by_layout and row_id in by_layout[layout].lines_by_id

        def associate(rows: Sequence[Row]) -> _Outcome:
            rejections = []
            for pair in self._bulk.unknown_pairs(_cells(rows)):
                student_id, course_id = rows[pair.place].cells
                still_unknown = UnknownPair(
                    pair.place,
                    pair.student_unknown and not comes_with(STUDENTS, student_id),
                    pair.course_unknown and not comes_with(COURSES, course_id),
                )
                if still_unknown.student_unknown or still_unknown.course_unknown:
                    rejections.append(_rejection(rows, still_unknown))
            return _Outcome(rejections=rejections)

        def accept(_rows: Sequence[Row]) -> _Outcome:
            return _Outcome()

        check = {STUDENTS: accept, COURSES: accept, ENROLLMENTS: associate}
        return {source.layout: self._walk(source, check[source.layout]) for source in sources}

    def _walk(self, source: CsvSource, handle: Callable[[Sequence[Row]], _Outcome]) -> Tally:
        tally = Tally()
        for lines in _chunks(source):
            rows = [line for line in lines if isinstance(line, Row)]
            outcome = handle(rows) if rows else _Outcome()
            rejections = [line for line in lines if isinstance(line, Rejection)]
            rejections += outcome.rejections
            if rejections:
                self._on_rejections(source, sorted(rejections))
            tally.read += len(lines)
            tally.inserted += outcome.inserted
            tally.updated += outcome.updated
            tally.rejected += len(rejections)
            tally.unchanged = tally.read - tally.inserted - tally.updated - tally.rejected
            self._on_progress(source)
        return tally


def _chunks(source: CsvSource) -> Iterator[list[Row | Rejection]]:
    lines = iter(source)
    while chunk := list(islice(lines, CHUNK)):
        yield chunk


def _cells(rows: Sequence[Row]) -> list[Cells]:
    return [row.cells for row in rows]


def _rejection(rows: Sequence[Row], pair: UnknownPair) -> Rejection:
    row = rows[pair.place]
    student_id, course_id = row.cells
    unknown = [f"there is no student {student_id}"] if pair.student_unknown else []
    unknown += [f"there is no course {course_id}"] if pair.course_unknown else []
    return Rejection(row.line, " and ".join(unknown))
