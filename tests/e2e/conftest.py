"""The wheels, built from the source and installed into an environment of their own."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.databases import Databases
from tests.support.places import copy_source
from tests.support.rows import insert_students_and_courses
from tests.support.serving import Server, serving_process


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    # A copy, since building leaves files behind, and finds those of earlier builds.
    source = copy_source(folder / "source")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*pip, "--wheel-dir", folder, source / "client", source)
    return folder


@pytest.fixture(scope="session")
def installed(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment into which the wheels are installed.

    What they depend on is taken from this one: only our two come from wheels.
    """
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", *sorted(wheels.glob("*.whl")))
    [packages] = environment.glob("lib/python*/site-packages")
    # A plain path: the links to the source that are in that folder are not followed.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return environment / "bin"


Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture
def serve(installed: Path) -> Serve:
    """Starts the installed server on a free port and waits for the line that says so."""
    return partial(serving_process, installed / "enrollment-server")


@pytest.fixture
def populated(url: URL) -> URL:
    """A database with two students and three courses."""
    insert_students_and_courses(url)
    return url


@pytest.fixture
def postgresql(postgresql_databases: Databases) -> URL:
    """The same, on PostgreSQL."""
    url = postgresql_databases.fresh()
    insert_students_and_courses(url)
    return url


def run(*command: object) -> str:
    """Run a command; returns what it prints."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
