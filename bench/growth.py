"""Whether calls take longer where there is more: databases of several sizes beside each other.

Each is a database of one PostgreSQL server (durable commits): so many enrolments, 2,000 courses,
a student for every 20 enrolments; one in 50 takes 500 courses, the others take 10. Calls go to
the database layer, in this process, with one connection and one request at a time, to each
database in turn: so what else the machine does meets all alike.

Caches are warm: students are taken at random from as many in each database, which all had their
calls before, and are so few that PostgreSQL has what they need in its memory. So it shows what
plans and the depth of indexes cost, and not disks.

Prints the median of each call in microseconds, and its ratio to that of the smallest database.
"""

import argparse
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import URL, text
from tests.support.databases import PostgreSQLDatabases
from tests.support.postgresql import postgresql_server

from enrollment_server.db import backends
from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import (
    AssociateRequest,
    Enrollments,
    PageRequest,
    RemoveRequest,
    RemoveResult,
)
from enrollment_server.deadline import NEVER

T = TypeVar("T")

SIZES = (10_000, 1_000_000, 20_000_000)
COURSES, SHARE, MANY, FEW = 2_000, 50, 500, 10  # one of SHARE students takes MANY courses
PAGE = 5  # courses; so MANY are a hundred pages
ASKED_FOR = 10  # students who take many, and as many who take few

# Who takes many takes every fourth course; who takes few, some with even numbers.
FILL = f"""
INSERT INTO students
  SELECT 's-' || lpad(n::text, 7, '0'), 'Student ' || n, n || '@example.edu'
  FROM generate_series(0, {{students}} - 1) n;
INSERT INTO courses
  SELECT 'c-' || lpad(n::text, 4, '0'), 'C ' || n, 'Course ' || n
  FROM generate_series(0, {COURSES} - 1) n;
INSERT INTO student_courses
  SELECT 's-' || lpad(n::text, 7, '0'), 'c-' || lpad(course::text, 4, '0'), now()
  FROM generate_series(0, {{students}} - 1) n, LATERAL (
    SELECT k * 4 AS course
      FROM generate_series(0, {MANY} - 1) k WHERE n % {SHARE} = 0
    UNION ALL
    SELECT (n * 26 + k * 198) % {COURSES}
      FROM generate_series(0, {FEW} - 1) k WHERE n % {SHARE} <> 0
  ) taken
"""


def student(number: int) -> str:
    return f"s-{number:07}"


def course(number: int) -> str:
    return f"c-{number:04}"


def filled(url: URL, size: int) -> URL:
    """The database, empty until now, with so many enrolments."""
    engine = backends.create_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Foreign keys hold, and are not checked row by row.
        connection.execute(text("SET session_replication_role = replica"))
        for statement in FILL.format(students=students_of(size)).split(";"):
            connection.execute(text(statement))
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
    return url


def students_of(size: int) -> int:
    return size // 20


class Asked:
    """A database, and some of its students who are asked for: few, and far from each other."""

    def __init__(self, url: URL, size: int) -> None:
        self._enrollments = Enrollments(Database(backends.create_engine(url)))
        step = students_of(size) // SHARE // ASKED_FOR * SHARE
        self._with_many = [n * step for n in range(ASKED_FOR)]
        self._with_few = [n * step + 1 for n in range(ASKED_FOR)]
        self.times: dict[str, list[float]] = defaultdict(list)  # seconds of each call

    def warm_up(self) -> None:
        for _ in range(5):  # then, what is prepared is prepared
            for many, few in zip(self._with_many, self._with_few, strict=True):
                self._turn(many, few)
        self.times.clear()

    def turn(self) -> None:
        """Each call once, and so many removals that everything is as before."""
        self._turn(random.choice(self._with_many), random.choice(self._with_few))

    def _turn(self, many: int, few: int) -> None:
        enrollments = self._enrollments
        for name, after in {
            "first page": "",
            "hundredth page": course(4 * (MANY - PAGE - 1)),
        }.items():
            pages = [PageRequest(student(many), after, PAGE)]
            [page] = self._timed(name, partial(enrollments.list_pages, pages, NEVER))
            assert page is not None
            assert len(page.courses) == PAGE

        new = tuple(course((few * 26 + n) % COURSES) for n in (1, 501, 1001))
        associate = [AssociateRequest(student(few), new)]
        [made] = self._timed("associate 3", partial(enrollments.associate, associate, NEVER))
        assert all(association.created for association in made.associations)
        for course_id in new:
            remove = [RemoveRequest(student(few), course_id)]
            [removed] = self._timed("remove", partial(enrollments.remove, remove, NEVER))
            assert removed is RemoveResult.REMOVED

    def _timed(self, name: str, call: Callable[[], T]) -> T:
        start = time.perf_counter()
        answer = call()
        self.times[name].append(time.perf_counter() - start)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=1000, help="each call once, remove thrice")
    arguments = parser.parse_args()

    with postgresql_server(durable=True) as server:
        databases = PostgreSQLDatabases(server.url)
        asked = []
        for size in sorted(arguments.sizes):
            start = time.monotonic()
            asked.append(Asked(filled(databases.fresh(), size), size))
            print(f"filled with {size:,} in {time.monotonic() - start:.0f} s", flush=True)
        for one in asked:
            one.warm_up()
        for _ in range(arguments.rounds):
            for one in asked:
                one.turn()

        print("".join([f"{'':16}", *(f"{size:>20,}" for size in sorted(arguments.sizes))]))
        for name in asked[0].times:
            medians = [statistics.median(one.times[name]) for one in asked]
            columns = (f"{m * 1e6:11.0f} us {m / medians[0]:5.2f}" for m in medians)
            print("".join([f"{name:16}", *columns]))


if __name__ == "__main__":
    main()
