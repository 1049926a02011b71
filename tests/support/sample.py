"""The sample university."""

import subprocess

from sqlalchemy import URL

from tests.support.databases import Databases, spelled_out
from tests.support.places import BIN, ROOT


def sample_database(databases: Databases) -> URL:
    """A fresh one of these, loaded as `make run` does it."""
    url = databases.fresh()
    command: list[object] = [BIN / "enrollment-server", "load", "--database-url", spelled_out(url)]
    for kind in ("students", "courses", "enrollments"):
        command += [f"--{kind}", ROOT / "examples" / f"{kind}.csv"]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return url
