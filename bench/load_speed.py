"""`enrollment-server load` beside a bare COPY of the same enrolments, on PostgreSQL.

Both write the same rows, in the same order, into the same table, empty but for its indexes
and foreign keys; commits are durable. COPY is given its lines ready made. The loader is the
command as it is typed, its start included. They run in turn, for some rounds; what means
something is how the two compare. Then the loader's peak of resident memory, for a file of a
tenth of the rows and for all of them.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from tests.support.databases import migrate, spelled_out
from tests.support.postgresql import postgresql_server

from bench.servers import SERVER

COURSES, TAKEN = 2_000, 10  # courses, courses of each student
BLOCK = 1 << 16  # bytes

# Runs a command and says its peak of memory. In a small process of its own: the peak of a
# command is at least what the process that starts it has.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


class Files:
    """What is loaded: each student with courses, in a file for the loader and one for COPY."""

    def __init__(self, folder: Path, rows: int) -> None:
        students = range(-(-rows // TAKEN))
        now = datetime.now(UTC).isoformat()
        self.students = folder / "students.csv"
        self.courses = folder / "courses.csv"
        self.enrollments = folder / f"{rows}.csv"
        self.copied = folder / f"{rows}.copy"
        with self.students.open("w") as file:
            file.write("id,name,email\n")
            file.writelines(f"s-{s},Student {s},\n" for s in students)
        with self.courses.open("w") as file:
            file.write("id,code,title\n")
            file.writelines(f"c-{c},C {c},Course {c}\n" for c in range(COURSES))
        with self.enrollments.open("w") as loaded, self.copied.open("w") as copied:
            loaded.write("student_id,course_id\n")
            for row in range(rows):
                student, course = row // TAKEN, (row // TAKEN * 7 + row % TAKEN * 131) % COURSES
                loaded.write(f"s-{student},c-{course}\n")
                copied.write(f"s-{student}\tc-{course}\t{now}\n")


class Target:
    """A database with students and courses, whose enrolments come and go."""

    def __init__(self, url: str) -> None:
        self._environment = {**os.environ, "ENROLLMENT_DATABASE_URL": url}
        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def load(self, *arguments: str) -> tuple[float, float]:
        """Run the loader; returns seconds and its peak of memory, in MB."""
        command = [sys.executable, "-c", PEAK, str(SERVER), "load", *arguments]
        start = time.monotonic()
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=self._environment)
        return time.monotonic() - start, int(run.stdout) / 1024

    def copy(self, path: Path) -> float:
        """Run a bare COPY; returns seconds."""
        start = time.monotonic()
        with (
            path.open("rb") as file,
            self._connection.cursor() as cursor,
            cursor.copy(
                "COPY student_courses (student_id, course_id, create_time) FROM STDIN"
            ) as c,
        ):
            while block := file.read(BLOCK):
                c.write(block)
        return time.monotonic() - start

    def empty(self, rows: int | None = None) -> None:
        """Take the enrolments away, and leave nothing that the next run would pay for.

        If `rows` are given, there have to be so many of them.
        """
        if rows is not None:
            found = self._connection.execute("SELECT count(*) FROM student_courses").fetchone()
            assert found == (rows,), f"{found} rows, not {rows}"
        self._connection.execute("TRUNCATE student_courses")
        self._connection.execute("CHECKPOINT")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = arguments.rows

    with tempfile.TemporaryDirectory() as folder, postgresql_server(durable=True) as server:
        migrate(server.url)
        target = Target(spelled_out(server.url))
        tenth, whole = Files(Path(folder), rows // 10), Files(Path(folder), rows)
        target.load(f"--students={whole.students}", f"--courses={whole.courses}")
        copies, loads, peaks = [], [], []
        for number in range(1, arguments.rounds + 1):
            target.empty()
            copies.append(rows / target.copy(whole.copied))
            target.empty(rows)
            seconds, peak = target.load(f"--enrollments={whole.enrollments}")
            loads.append(rows / seconds)
            peaks.append(peak)
            target.empty(rows)
            print(f"round {number}: COPY {copies[-1]:.0f}, load {loads[-1]:.0f} rows/s", flush=True)
        _, peak_of_tenth = target.load(f"--enrollments={tenth.enrollments}")

    copy, load = statistics.median(copies), statistics.median(loads)
    print(f"bare COPY {copy:8.0f} rows/s")
    print(f"load      {load:8.0f} rows/s, {load / copy:.2f} of it")
    print(f"peak RSS  {peak_of_tenth:8.0f} MB for {rows // 10} rows, {max(peaks):.0f} for {rows}")


if __name__ == "__main__":
    main()
