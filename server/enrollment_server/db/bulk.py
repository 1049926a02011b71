"""Bulk writes: many rows in a few statements and one transaction."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine, Table, or_, select, true, update

from enrollment_server.db.backends import Backend, backend_of
from enrollment_server.db.database import Database, Unit
from enrollment_server.db.statements import Statements, courses, students
from enrollment_server.deadline import NEVER

T = TypeVar("T")
Cells: TypeAlias = tuple[str | None, ...]


class Upserted(NamedTuple):
    """How many rows were new, and how many were there but differed."""

    inserted: int
    updated: int


class UnknownPair(NamedTuple):
    """A pair, by its place among those given, that lacks its student or its course."""

    place: int
    student_unknown: bool
    course_unknown: bool


class Bulk:
    """Writes many rows at once; each call is all or nothing. Raises as Database does."""

    def __init__(self, engine: Engine) -> None:
        self._database = Database(engine)
        backend = backend_of(engine)
        self._students = _Upsert(backend, students)
        self._courses = _Upsert(backend, courses)
        self._statements = Statements(backend)
        self._number = select(backend.transaction_number)

    def upsert_students(self, rows: Sequence[Cells]) -> Upserted:
        """Insert or update students: id, name, email. The ids are distinct."""
        return self._upsert(self._students, rows)

    def upsert_courses(self, rows: Sequence[Cells]) -> Upserted:
        """Insert or update courses: id, code, title. The ids are distinct."""
        return self._upsert(self._courses, rows)

    def unknown_pairs(self, pairs: Sequence[Cells]) -> list[UnknownPair]:
        """Those of the pairs (student id, course id) that cannot be associated."""

        def work(unit: Unit) -> list[UnknownPair]:
            with unit.reading() as connection:
                parameters = self._statements.pairs.parameters(pairs)
                found = connection.execute(self._statements.find_unknown_pairs, parameters)
                return _unknown(pairs, found)

        return self._database.run(work, NEVER)

    def associate(self, pairs: Sequence[Cells]) -> tuple[int, list[UnknownPair]]:
        """Associate all pairs that can be; returns how many were new, and the unknown."""
        # In order, as everywhere: two transactions that wait for each other's rows in
        # turn would be a deadlock.
        in_order = sorted(pairs)

        def work(connection: Connection) -> tuple[int, list[UnknownPair]]:
            parameters = self._statements.staged_pairs.fill(connection, in_order)
            found = connection.execute(self._statements.find_unknown_staged_pairs, parameters)
            unknown = _unknown(pairs, found)
            if unknown:
                left_out = {pairs[pair.place] for pair in unknown}
                known = [pair for pair in in_order if pair not in left_out]
                parameters = self._statements.staged_pairs.fill(connection, known)
            parameters["create_time"] = datetime.now(UTC)
            added = connection.execute(self._statements.add_staged_pairs, parameters)
            return added.rowcount, unknown

        return self._write(work)

    def _upsert(self, upsert: "_Upsert", rows: Sequence[Cells]) -> Upserted:
        return self._write(lambda connection: upsert.run(connection, rows))

    def _write(self, work: Callable[[Connection], T]) -> T:
        def in_transaction(unit: Unit) -> T:
            with unit.transaction() as transaction:
                # It is asked for, since these statements count what they do, and return nothing.
                transaction.number = transaction.connection.scalar(self._number)
                return work(transaction.connection)

        return self._database.run(in_transaction, NEVER)


def _unknown(pairs: Sequence[Cells], rows: Iterable[Any]) -> list[UnknownPair]:
    """The pairs that were found unknown, at every place that they are at."""
    found = {
        (student_id, course_id): (bool(student_unknown), bool(course_unknown))
        for student_id, course_id, student_unknown, course_unknown in rows
    }
    return [UnknownPair(place, *found[pair]) for place, pair in enumerate(pairs) if pair in found]


class _Upsert:
    """The statements that insert into a table, or update what differs, by primary key.

    Two, and each counts what it does: so the counts are right whoever else writes.
    """

    def __init__(self, backend: Backend, table: Table) -> None:
        self._rows = backend.staging("rows", {column.name: column.type for column in table.columns})
        rows = self._rows.table
        [key] = table.primary_key.columns
        others = [column for column in table.columns if column is not key]
        self._insert: Any = (
            backend.insert(table)
            .from_select(list(table.columns), select(rows).where(true()))
            .on_conflict_do_nothing(index_elements=[key])
            .execution_options(preserve_rowcount=True)
        )
        self._update = (
            update(table)
            .where(key == rows.c[key.name])
            .where(or_(*(column.is_distinct_from(rows.c[column.name]) for column in others)))
            .values({column.name: rows.c[column.name] for column in others})
        )

    def run(self, connection: Connection, rows: Sequence[Cells]) -> Upserted:
        rows = sorted(rows, key=lambda row: str(row[0]))
        parameters = self._rows.fill(connection, rows)
        inserted = connection.execute(self._insert, parameters).rowcount
        updated = connection.execute(self._update, parameters).rowcount
        return Upserted(inserted, updated)
