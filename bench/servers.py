"""What is measured: servers, of a database of students who take courses."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.statements import Counted

SERVER = Path(sys.executable).parent / "enrollment-server"
GO_SERVER = Path(sys.executable).parent / "go-server"  # where make could build it
STUDENTS, COURSES, TAKEN = 20_000, 2_000, 5  # students, courses, courses of each student
UNKNOWN = float("nan")  # what was not measured


@dataclass(frozen=True)
class Server:
    """A server, running."""

    address: str
    http: bool  # or else gRPC
    process: psutil.Process
    counted: Counted | None

    def cpu(self) -> float:
        """Seconds of processor time that it has used, with all of its threads."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def statements(self) -> float:
        """How many statements it has run."""
        return self.counted.read() if self.counted else UNKNOWN


@dataclass(frozen=True)
class Kind:
    """A kind of server."""

    name: str
    command: Sequence[str]  # where it has {url}, {plain_url} and {counted}, those are put in
    http: bool = False
    counts: bool = True  # its statements

    @contextmanager
    def serving(self, url: str) -> Iterator[Server]:
        """Have one serve the database at this URL."""
        with tempfile.TemporaryDirectory() as folder:
            counted = Counted(Path(folder) / "statements")
            values = {
                "url": url,
                "plain_url": url.replace("+psycopg", ""),  # only SQLAlchemy knows of drivers
                "counted": counted.path,
            }
            command = [part.format(**values) for part in self.command]
            # It says on standard output at which address it is ready.
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                assert process.stdout is not None
                try:
                    address = process.stdout.readline().split()[-1]
                    yield Server(
                        address,
                        self.http,
                        psutil.Process(process.pid),
                        counted if self.counts else None,
                    )
                finally:
                    process.terminate()


PYTHON = (sys.executable, "-m")
SERVE = ("serve", "--listen=127.0.0.1:0", "--database-url={url}")
BATCHES = Kind("batches", [*PYTHON, "bench.counted", "{counted}", *SERVE])
ONE_BY_ONE = Kind("one by one", [*BATCHES.command, "--batch-size=1"])
NOTHING = Kind("no database", [*PYTHON, "bench.nothing", *SERVE])
FASTAPI = Kind("FastAPI", [*PYTHON, "bench.fastapi_server", "{url}", "{counted}"], http=True)
GO = Kind("Go", [str(GO_SERVER), "{plain_url}"], counts=False)


def fill(url: str, folder: Path) -> None:
    """Migrate the database, and load the students and their courses."""
    files = {
        "students": ("id,name,email", (f"s-{n},Student {n}," for n in range(STUDENTS))),
        "courses": ("id,code,title", (f"c-{n},C {n},Course {n}" for n in range(COURSES))),
        "enrollments": (
            "student_id,course_id",
            (f"s-{n},c-{(n + k) % COURSES}" for n in range(STUDENTS) for k in range(TAKEN)),
        ),
    }
    flags = []
    for name, (header, lines) in files.items():
        path = folder / f"{name}.csv"
        path.write_text("\n".join([header, *lines, ""]))
        flags.append(f"--{name}={path}")
    environment = {**os.environ, "ENROLLMENT_DATABASE_URL": url}
    for command in (["migrate"], ["load", *flags]):
        subprocess.run([SERVER, *command], check=True, stdout=subprocess.DEVNULL, env=environment)


def fresh_pair(number: int) -> tuple[str, str]:
    """A student and a course; another pair for each number, and none that `fill` associates."""
    turn, place = divmod(number, STUDENTS)
    student = place * 7919 % STUDENTS  # all over the table, as callers are
    return f"s-{student}", f"c-{(student + TAKEN + turn) % COURSES}"
