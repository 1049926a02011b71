"""Real databases for tests: fresh ones, made from a template that was migrated once."""

import os
import shutil
import sqlite3
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


def spelled_out(url: URL) -> str:
    """The URL as a program takes it, with its password."""
    return url.render_as_string(hide_password=False)


def migrate(url: URL) -> None:
    engine = backends.create_engine(url)
    schema.migrate(engine)


def terminate(url: URL, backend: int) -> None:
    """End a connection to PostgreSQL, by the process id of its backend."""
    other = backends.create_engine(url)
    with other.connect() as connection:
        # Waits, at most so many milliseconds, until it is gone.
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})


@contextmanager
def locked(url: URL) -> Iterator[None]:
    """A SQLite database whose write lock another connection holds, while the context lasts."""
    other = sqlite3.connect(str(url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@contextmanager
def blocked(url: URL, student_id: str, course_id: str) -> Iterator[None]:
    """A database in which whoever associates this pair has to wait, while the context lasts."""
    if url.get_backend_name() == "sqlite":
        with locked(url):
            yield
        return
    other = sqlalchemy.create_engine(url)  # ours would not be let wait for long
    with other.connect() as connection, connection.begin() as transaction:
        pair = {"student_id": student_id, "course_id": course_id}
        connection.execute(
            text("INSERT INTO student_courses VALUES (:student_id, :course_id, now())"), pair
        )
        yield
        transaction.rollback()
    other.dispose()


def waits_for_a_lock(url: URL) -> bool:
    """Whether a statement on this PostgreSQL waits for a row that others have locked."""
    engine = backends.create_engine(url)
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        count = connection.scalar(waiting)
    return bool(count)
