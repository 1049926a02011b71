"""The few statements of the service, built once for a backend.

Each works on a rowset, so its text does not depend on how many rows it is for, and each
carries `student_id`, by which the tables may one day be sharded.
"""

from typing import Any, cast

from sqlalchemy import (
    JSON,
    FromClause,
    Insert,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    false,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert

from enrollment_server.db.backends import Backend
from enrollment_server.db.models import Course, Id, Student, StudentCourses, UtcDateTime

students = cast(Table, Student.__table__)
courses = cast(Table, Course.__table__)
student_courses = cast(Table, StudentCourses.__table__)

PAIR = (student_courses.c.student_id, student_courses.c.course_id)  # the key


class Statements:
    """Each statement, and the rowsets that their parameters are made with."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.students = backend.rowset("asked", {"student_id": Text()})
        self.pairs = backend.rowset("asked", {"student_id": Text(), "course_id": Text()})
        self.staged_pairs = backend.staging("staged", {"student_id": Id, "course_id": Id})
        self.pages = backend.rowset(
            "asked", {"number": Integer(), "student_id": Text(), "after": Text()}
        )
        self.find_students = self._find_students()
        self.find_pairs = self._find_pairs()
        self.find_unknown_pairs = self._find_unknown_pairs(self.pairs.table)
        self.find_unknown_staged_pairs = self._find_unknown_pairs(self.staged_pairs.table)
        self.insert_pairs = self._insert_pairs()
        self.add_staged_pairs = self._add_staged_pairs()
        self.delete_pairs = self._delete_pairs()
        self.list_pages = self._list_pages()

    def _find_students(self) -> Select[Any]:
        """The ids, of those asked for, of students that exist."""
        asked = select(self.students.table.c.student_id)
        return select(students.c.id).where(students.c.id.in_(asked))

    def _find_pairs(self) -> Select[Any]:
        """Each pair, whether its student and its course exist, and since when it does."""
        asked = self.pairs.table.c
        # Subqueries, for which nothing but the key will do: to join for a batch, PostgreSQL
        # would read through tables that are not large.
        student = select(students.c.id).where(students.c.id == asked.student_id)
        course = select(courses.c.id).where(courses.c.id == asked.course_id)
        create_time = select(student_courses.c.create_time).where(
            student_courses.c.student_id == asked.student_id,
            student_courses.c.course_id == asked.course_id,
        )
        return select(
            asked.student_id,
            asked.course_id,
            student.scalar_subquery().is_not(None),
            course.scalar_subquery().is_not(None),
            create_time.scalar_subquery(),
        )

    def _find_unknown_pairs(self, pairs: FromClause) -> Select[Any]:
        """Each pair that lacks its student or its course, and whether it lacks which."""
        student_unknown, course_unknown = students.c.id.is_(None), courses.c.id.is_(None)
        return (
            select(pairs.c.student_id, pairs.c.course_id, student_unknown, course_unknown)
            .select_from(pairs)
            .outerjoin(students, students.c.id == pairs.c.student_id)
            .outerjoin(courses, courses.c.id == pairs.c.course_id)
            .where(or_(student_unknown, course_unknown))
        )

    def _new_pairs(self, pairs: FromClause) -> Any:
        """Insert the pairs, at `create_time`; what to do with those there is left to say."""
        rows = select(
            pairs.c.student_id, pairs.c.course_id, bindparam("create_time", type_=UtcDateTime)
        ).where(true())  # SQLite's grammar wants a WHERE between SELECT and ON CONFLICT
        insert = self._backend.insert(student_courses)
        return insert.from_select([*PAIR, student_courses.c.create_time], rows)

    def _insert_pairs(self) -> ReturningInsert[Any]:
        """Insert the pairs that are not there, and lock those that are.

        Returns those inserted, each with the transaction's number.
        """
        return cast(
            ReturningInsert[Any],
            self._new_pairs(self.pairs.table)
            # DO UPDATE that never updates, and not DO NOTHING: it locks the rows that are
            # there, so that none of them can go before the others have come.
            .on_conflict_do_update(
                index_elements=PAIR,
                set_={"create_time": student_courses.c.create_time},
                where=false(),
            )
            .returning(*PAIR, self._backend.transaction_number),
        )

    def _add_staged_pairs(self) -> Insert:
        """Insert the pairs that are not there; its row count is how many they were."""
        added = self._new_pairs(self.staged_pairs.table).on_conflict_do_nothing(index_elements=PAIR)
        return cast(Insert, added.execution_options(preserve_rowcount=True))

    def _delete_pairs(self) -> ReturningDelete[Any]:
        """Delete the pairs that are there; return them, with the transaction's number."""
        asked = select(self.pairs.table.c.student_id, self.pairs.table.c.course_id)
        return (
            delete(student_courses)
            .where(tuple_(*PAIR).in_(asked))
            .returning(*PAIR, self._backend.transaction_number)
        )

    def _list_pages(self) -> Select[Any]:
        """Of each page asked for whose student exists: its number, and its courses.

        `size` is how many courses a page has at most. All of it is one value, a JSON array:
        drivers hand over rows one by one, and every time other threads may take over.
        """
        asked = self.pages.table
        # In a subquery, which planners do not look into: knowing that a page is larger than
        # what they expect of a student, they would read and sort all that the student takes.
        size = select(bindparam("size", type_=Integer)).scalar_subquery()
        page = (
            select(student_courses.c.course_id, student_courses.c.create_time)
            .where(
                student_courses.c.student_id == asked.c.student_id,
                student_courses.c.course_id > asked.c.after,
            )
            .order_by(student_courses.c.course_id)
            .limit(size)
            .correlate(asked)
            .subquery("page")
        )
        # A subquery, too: a join could read through all courses up to those of the page.
        course = (
            select(self._backend.json_array(courses.c.code, courses.c.title))
            .where(courses.c.id == page.c.course_id)
            .scalar_subquery()
        )
        row = self._backend.json_array(page.c.course_id, course, page.c.create_time)
        rows = select(self._backend.json_array_of_rows(row)).select_from(page).scalar_subquery()
        known = asked.join(students, students.c.id == asked.c.student_id)
        pages = self._backend.json_array_of_rows(
            self._backend.json_array(asked.c.number, rows), type_=JSON
        )
        return select(pages).select_from(known)
