"""What is measured: the server, with a database of students who take courses."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

BIN = Path(sys.executable).parent
SERVER = BIN / "enrollment-server"
STUDENTS, COURSES, TAKEN = 20_000, 2_000, 5  # students, courses, courses of each student


@dataclass(frozen=True)
class Server:
    """A server, running."""

    address: str
    process: psutil.Process

    def cpu(self) -> float:
        """Seconds of processor time that it has used, with all of its threads."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def serving(command: list[str | Path]) -> Iterator[Server]:
    """Run a server, which says on standard output at which address it is ready."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield Server(process.stdout.readline().split()[-1], psutil.Process(process.pid))
        process.terminate()


def serve(url: str, *flags: str) -> list[str | Path]:
    """The command that serves this database."""
    return [SERVER, "serve", "--listen=127.0.0.1:0", f"--database-url={url}", *flags]


def serve_nothing(url: str) -> list[str | Path]:
    """The command of the same server without a database: what gRPC in Python can do at most."""
    return [sys.executable, "-m", "bench.nothing", f"--database-url={url}"]


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
