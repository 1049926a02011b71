"""Associations of students with courses, as the database has them.

Every method answers many requests with the same few statements, in the order of the
requests; one call is a batch of one. The answers are facts: what they mean for a caller
is for the service to say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from itertools import compress
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from enrollment_server.db.backends import backend_of
from enrollment_server.db.compiled import CompiledStatement
from enrollment_server.db.database import Database, Transaction, Unit
from enrollment_server.db.models import utc
from enrollment_server.db.statements import Statements
from enrollment_server.deadline import Deadline
from enrollment_server.domain import Association, Course, Page, StudentCourse


class AssociateRequest(NamedTuple):
    """To associate a student with courses, all or none; the ids are distinct."""

    student_id: str
    course_ids: tuple[str, ...]


class PageRequest(NamedTuple):
    """For at most `size` courses of a student with ids above `after`."""

    student_id: str
    after: str
    size: int


class RemoveRequest(NamedTuple):
    """To remove one course from a student."""

    student_id: str
    course_id: str


@dataclass(frozen=True, slots=True)
class AssociateResult:
    """The associations asked for, or, if anything is unknown, what: then nothing was written."""

    student_known: bool
    unknown_course_ids: tuple[str, ...]
    associations: tuple[Association, ...]


class RemoveResult(Enum):
    """What a removal found."""

    REMOVED = auto()
    NOT_ASSOCIATED = auto()
    STUDENT_UNKNOWN = auto()


_Pair = tuple[str, str]  # student id, course id

T = TypeVar("T")

# That one statement reads at most: they come as one value, and nothing else runs while
# Python takes that apart.
MOST_COURSES = 20_000


class _Found(NamedTuple):
    """What there is of some pairs."""

    students: set[str]
    courses: set[str]
    times: dict[_Pair, datetime]  # since when, of those that are associated

    def lack(self, pairs: Sequence[_Pair]) -> bool:
        """Whether there are pairs to make, of which all is known that they refer to."""
        return all(
            student_id in self.students and course_id in self.courses
            for student_id, course_id in pairs
        ) and any(pair not in self.times for pair in pairs)


class Enrollments:
    """The association table and what it refers to.

    What is not `patient` gives up soon on rows that others have locked, with Locked.

    Methods raise Conflict and DeadlineExceeded: then nothing was written; and
    DatabaseUnavailable: then, if the database went away in a commit, it is not known.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        statements = Statements(backend_of(database.engine))
        self._asked_students = statements.students
        self._asked_pairs = statements.pairs
        self._asked_pages = statements.pages
        compiled = partial(CompiledStatement, dialect=database.engine.dialect)
        self._list_pages = compiled(statements.list_pages)
        self._find_pairs = compiled(statements.find_pairs)
        self._insert_pairs = compiled(statements.insert_pairs)
        self._delete_pairs = compiled(statements.delete_pairs)
        self._find_students = compiled(statements.find_students)

    def list_pages(
        self, requests: Sequence[PageRequest], deadline: Deadline, *, patient: bool = True
    ) -> list[Page | None]:
        """A page for each request; None where the student is unknown."""
        # One more than asked for tells whether there are more.
        sizes: dict[int, list[tuple[int, str, str]]] = {r.size + 1: [] for r in requests}
        for number, r in enumerate(requests):
            sizes[r.size + 1].append((number, r.student_id, r.after))

        def work(unit: Unit) -> list[Page | None]:
            pages: list[Page | None] = [None] * len(requests)
            with unit.reading() as connection:
                for size, asked in sizes.items():
                    for rows in _parts(asked, max(1, MOST_COURSES // size)):
                        parameters = {**self._asked_pages.parameters(rows), "size": size}
                        [[found]] = self._list_pages.rows(connection, parameters)
                        for number, courses in found or ():
                            pages[number] = _page(courses or (), requests[number].size)
            return pages

        return self._database.run(work, deadline, patient=patient)

    def associate(
        self, requests: Sequence[AssociateRequest], deadline: Deadline, *, patient: bool = True
    ) -> list[AssociateResult]:
        """Make the associations that are not there, of every request that is all known.

        Of requests for the same new association, the first is told that it made it.
        """
        return self._database.run(
            lambda unit: self._associate(unit, requests), deadline, patient=patient
        )

    def _associate(self, unit: Unit, requests: Sequence[AssociateRequest]) -> list[AssociateResult]:
        asked = [[(r.student_id, course_id) for course_id in r.course_ids] for r in requests]
        with unit.reading() as connection:
            found = self._find(connection, {pair for pairs in asked for pair in pairs})
        # The answer to a request must hold at one moment: either it holds as it was found,
        # or all of its pairs are written, those that were there a moment ago too.
        lacking = [found.lack(pairs) for pairs in asked]
        to_write = {pair for pairs in compress(asked, lacking) for pair in pairs}
        written, created = found, set[_Pair]()
        if to_write:
            with unit.transaction() as transaction:
                created, times = self._insert(transaction, to_write)
            written = found._replace(times=times)
        return [
            _associate_result(pairs, written, created)
            if lacked
            else _associate_result(pairs, found, set())
            for pairs, lacked in zip(asked, lacking, strict=True)
        ]

    def remove(
        self, requests: Sequence[RemoveRequest], deadline: Deadline, *, patient: bool = True
    ) -> list[RemoveResult]:
        """Remove the associations that are there.

        Of requests for the same association, the first is told that it removed it.
        """

        def work(unit: Unit) -> list[RemoveResult]:
            with unit.transaction() as transaction:
                return self._delete(transaction, requests)

        return self._database.run(work, deadline, patient=patient)

    def _find(self, connection: Connection, pairs: set[_Pair]) -> _Found:
        parameters = self._asked_pairs.parameters(sorted(pairs))
        found = _Found(set(), set(), {})
        rows = self._find_pairs.rows(connection, parameters)
        for student_id, course_id, student_known, course_known, create_time in rows:
            if student_known:
                found.students.add(student_id)
            if course_known:
                found.courses.add(course_id)
            if create_time is not None:
                found.times[student_id, course_id] = create_time
        return found

    def _insert(
        self, transaction: Transaction, pairs: set[_Pair]
    ) -> tuple[set[_Pair], dict[_Pair, datetime]]:
        """The pairs that this made, and since when all of them are there."""
        now = datetime.now(UTC)
        # In order, as everywhere: two transactions that wait for each other's rows in
        # turn would be a deadlock.
        parameters = {**self._asked_pairs.parameters(sorted(pairs)), "create_time": now}
        rows = self._insert_pairs.rows(transaction.connection, parameters)
        created = _pairs_written(transaction, rows)
        times = dict.fromkeys(created, now)
        if created != pairs:
            times |= self._find(transaction.connection, pairs - created).times
        return created, times

    def _delete(
        self, transaction: Transaction, requests: Sequence[RemoveRequest]
    ) -> list[RemoveResult]:
        parameters = self._asked_pairs.parameters(sorted(set(requests)))
        rows = self._delete_pairs.rows(transaction.connection, parameters)
        deleted = _pairs_written(transaction, rows)
        students = {r.student_id for r in requests if r not in deleted}
        if students:
            parameters = self._asked_students.parameters([(s,) for s in sorted(students)])
            found = self._find_students.rows(transaction.connection, parameters)
            students = {student_id for [student_id] in found}
        students |= {student_id for student_id, _ in deleted}

        results = []
        for request in requests:
            if request in deleted:
                deleted.remove(request)
                results.append(RemoveResult.REMOVED)
            elif request.student_id in students:
                results.append(RemoveResult.NOT_ASSOCIATED)
            else:
                results.append(RemoveResult.STUDENT_UNKNOWN)
        return results


def _parts(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _pairs_written(transaction: Transaction, rows: Sequence[Any]) -> set[_Pair]:
    pairs = set()
    for student_id, course_id, number in rows:
        pairs.add((student_id, course_id))
        transaction.number = number
    return pairs


def _page(rows: Sequence[tuple[str, tuple[str | None, str] | None, str]], size: int) -> Page:
    # SQL promises no order for what is made of an ordered subquery.
    shown = sorted(rows, key=itemgetter(0))[:size]
    courses = tuple(
        StudentCourse(Course(course_id, course[0] or "", course[1] or ""), utc(create_time))
        for course_id, course, create_time in shown
        if course  # SQLite lets programs delete it that do not ask for foreign keys
    )
    return Page(courses, shown[-1][0] if len(rows) > size else "")


def _associate_result(
    pairs: Sequence[_Pair], found: _Found, created: set[_Pair]
) -> AssociateResult:
    student_known = all(student_id in found.students for student_id, _ in pairs)
    unknown = tuple(course_id for _, course_id in pairs if course_id not in found.courses)
    if unknown or not student_known:
        return AssociateResult(student_known, unknown, ())
    associations = []
    for pair in pairs:
        associations.append(Association(pair[1], pair in created, found.times[pair]))
        created.discard(pair)  # the next request for it came second
    return AssociateResult(student_known, (), tuple(associations))
