"""k6 calls the server from many connections at once, and checks every answer."""

import json
from collections import Counter
from pathlib import Path

from sqlalchemy import URL

from tests.interop.conftest import insert_students
from tests.support.api import SERVICE
from tests.support.places import GOOGLE_PROTOS, INTEROP_BIN, PROTOS
from tests.support.programs import run_program

SCRIPT = Path(__file__).with_name("load.js")
USERS = 8
AT_LEAST = 20  # calls of each method: each user makes three or more, however slow


def test_every_answer_under_a_mixed_load_of_ten_seconds_is_right(
    address: str, database: URL, folder: Path
) -> None:
    insert_students(database, *(f"k6-{user}" for user in range(1, USERS + 1)))

    result = run_program(
        INTEROP_BIN / "k6",
        "run",
        *("--vus", str(USERS), "--duration", "10s"),
        *("-e", f"ADDRESS={address}", "-e", f"IMPORTS={PROTOS}:{GOOGLE_PROTOS}"),
        *("--summary-export", folder / "summary.json"),
        # No progress, nothing told to anybody, and no port of its own.
        *("--quiet", "--no-usage-report", "--address", ""),
        SCRIPT,
    )

    assert (result.returncode, result.stderr) == (0, "")
    summary = json.loads((folder / "summary.json").read_text())
    calls = Counter[str]()
    for check in summary["root_group"]["checks"].values():
        method, *_ = check["name"].split(":")
        calls[method] += check["passes"]
    assert set(calls) == set(SERVICE.methods_by_name)
    assert min(calls.values()) >= AT_LEAST
