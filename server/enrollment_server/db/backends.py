"""What differs between the databases, as capabilities; no statement asks for a name.

A URL is one of `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`.
"""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Table,
    Text,
    TextClause,
    cast,
    event,
    func,
    null,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.types import TypeEngine

from enrollment_server.db.connecting import connect_within_deadlines
from enrollment_server.db.driver import execute
from enrollment_server.db.rowset import ArrayRowset, JsonRowset, Rowset
from enrollment_server.db.staging import Staging, TemporaryTable, send_rows_to_copy
from enrollment_server.db.watch import SOCKET

CONNECT_TIMEOUT = 5  # seconds
# Seconds that SQLite waits for another writer before it gives up. Nothing can end this wait
# when the caller leaves, so it is short, and the whole transaction is tried more often.
BUSY_TIMEOUT = 0.1
# Seconds that a statement waits for a row that others have locked before it lets go of its
# connection, to try again: so that a locked row keeps no connection from others for long.
LOCK_TIMEOUT = 0.1
# One plan for whatever is asked: the statements leave no choice, and to plan a statement
# for each call takes as long as to run it.
ONE_PLAN = "-c plan_cache_mode=force_generic_plan"

# The execution options of a connection: what begins a transaction, and whether nothing else does.
_BEGIN = "begin"
_AUTOCOMMIT = "autocommit"


class BadDatabaseUrlError(ValueError):
    """The URL is not one that this service can use; the message says why."""


@dataclass(frozen=True)
class Timeouts:
    """After how many seconds PostgreSQL ends what takes longer; 0 is as the server has it."""

    statement: float = 0
    lock: float = 0
    # If we vanish in the middle of a transaction, for instance behind a network that has
    # gone silent, then the rows that it has locked are free again after this.
    idle_in_transaction: float = 2


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True)
class Backend:
    """What a database can do, and how it is set up."""

    rowset: Callable[[str, Mapping[str, TypeEngine[Any]]], Rowset]
    staging: Callable[[str, Mapping[str, TypeEngine[Any]]], Staging]  # for loading
    insert: Callable[[Table], Any]  # an INSERT that knows ON CONFLICT
    json_array: Any  # the function that makes a JSON array of its arguments
    json_array_of_rows: Any  # the aggregate that makes one of a column
    # What a write returns to name its transaction, and what asks what became of it: a
    # commit can succeed though the connection breaks before the answer.
    transaction_number: ColumnElement[Any]
    transaction_status: TextClause | None
    # Has the database stop what runs on a driver's connection; called from another thread.
    # None where no statement waits for long.
    cancel: Callable[[Any], None] | None
    # These take the timeouts, and whether connections are lent for a transaction only.
    connect_args: Callable[[URL, Timeouts, bool], dict[str, Any]]
    begin: Callable[[Timeouts, bool], str]  # what begins a transaction that writes
    prepare: Callable[[Engine], None]


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")  # readers and one writer side by side
        cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()


def _postgresql_settings(timeouts: Timeouts) -> dict[str, str]:
    named = {
        "statement_timeout": timeouts.statement,
        "lock_timeout": timeouts.lock,
        "idle_in_transaction_session_timeout": timeouts.idle_in_transaction,
    }
    return {name: f"{int(value * 1000)}ms" for name, value in named.items() if value}


def _postgresql_arguments(url: URL, timeouts: Timeouts, pooled: bool) -> dict[str, Any]:
    if pooled:
        return {"connect_timeout": CONNECT_TIMEOUT, "prepare_threshold": None}
    options = [ONE_PLAN]
    options += [f"-c {name}={value}" for name, value in _postgresql_settings(timeouts).items()]
    options += url.normalized_query.get("options", ())  # the last one counts
    return {"connect_timeout": CONNECT_TIMEOUT, "options": " ".join(options)}


def _begin_postgresql(timeouts: Timeouts, pooled: bool) -> str:
    if not pooled:
        return "BEGIN"
    settings = _postgresql_settings(timeouts).items()
    # One round trip for all.
    return "; ".join(["BEGIN", *(f"SET LOCAL {name} = '{value}'" for name, value in settings)])


def _prepare_postgresql(engine: Engine) -> None:
    connect_within_deadlines(engine)
    send_rows_to_copy(engine)

    # A second handle of each socket: psycopg closes its own when it likes, and then that
    # number is soon another file's.
    @event.listens_for(engine, "connect")
    def keep_socket(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[SOCKET] = socket.socket(fileno=os.dup(connection.fileno()))

    @event.listens_for(engine, "close")
    def close_socket(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[SOCKET].close()


_BACKENDS = {
    "sqlite": Backend(
        rowset=JsonRowset,
        staging=JsonRowset,
        insert=sqlite.insert,
        json_array=func.json_array,
        json_array_of_rows=func.json_group_array,
        # As a writer: a reader that turns writer can fail whatever it waits.
        begin=lambda _timeouts, _pooled: "BEGIN IMMEDIATE",
        transaction_number=null(),  # no connection to lose
        transaction_status=None,
        cancel=None,
        connect_args=lambda _url, _timeouts, _pooled: {"timeout": BUSY_TIMEOUT},
        prepare=_prepare_sqlite,
    ),
    "postgresql": Backend(
        rowset=ArrayRowset,
        staging=TemporaryTable,
        insert=postgresql.insert,
        json_array=func.json_build_array,
        json_array_of_rows=func.json_agg,
        begin=_begin_postgresql,
        transaction_number=cast(func.pg_current_xact_id(), Text),
        transaction_status=text("SELECT pg_xact_status(CAST(CAST(:number AS text) AS xid8))"),
        cancel=lambda connection: connection.cancel_safe(timeout=CONNECT_TIMEOUT),
        connect_args=_postgresql_arguments,
        prepare=_prepare_postgresql,
    ),
}


def backend_of(engine: Engine) -> Backend:
    """The backend of an engine that `create_engine` made."""
    return _BACKENDS[engine.dialect.name]


def parse_url(spelled: str) -> URL:
    """The URL, naming its driver. Raises BadDatabaseUrlError."""
    try:
        url = sqlalchemy.make_url(spelled)
    except (ArgumentError, ValueError):
        raise BadDatabaseUrlError(
            "not a database URL; write sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if url.drivername in ("postgres", "postgresql"):  # as libpq spells it
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise BadDatabaseUrlError(
            f"{url.drivername} is not supported; use sqlite or postgresql+psycopg"
        )
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise BadDatabaseUrlError("SQLite needs a file: what is in memory dies with the server")
        if url.query or url.host:
            raise BadDatabaseUrlError("SQLite takes a file and no options")
    if "@" in (url.host or ""):  # the rest of a password
        raise BadDatabaseUrlError("an @ in the password must be written %40")
    return url


def shown(url: URL) -> str:
    """The URL as it may be printed: it names the database, and no secret."""
    query = {key: value for key, value in url.query.items() if "password" not in key}
    return url.set(query=query).render_as_string(hide_password=True)


def exists(url: URL) -> bool:
    """Whether there may be a database at the URL: SQLite would make the file on connecting."""
    if url.get_backend_name() != "sqlite":
        return True
    try:
        return Path(url.database or "").exists()
    except OSError:  # connecting will say why
        return True


def create_engine(
    url: URL, *, timeouts: Timeouts = DEFAULT_TIMEOUTS, pooled: bool = False
) -> Engine:
    """An engine that makes connections, and keeps none. Connects to nothing yet.

    `pooled` says that a pooler such as PgBouncer lends each for a transaction only: then
    nothing outlasts that, neither a timeout nor a prepared statement.
    """
    backend = _BACKENDS[url.get_backend_name()]
    engine = sqlalchemy.create_engine(
        url,
        connect_args=backend.connect_args(url, timeouts, pooled),
        # To the driver, always: to switch with each use costs as much as a statement.
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,  # see Connections
        execution_options={_BEGIN: backend.begin(timeouts, pooled)},
        # A parameter is a person's id or name: it belongs in no log and no message.
        hide_parameters=True,
    )
    backend.prepare(engine)

    @event.listens_for(engine, "begin")
    def begin_by_itself(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(_AUTOCOMMIT) and options.get("isolation_level") != "AUTOCOMMIT":
            send_begin(connection)

    return engine


def autocommitting(engine: Engine) -> Engine:
    """The same engine, with no transaction but by `send_begin`: a read is one round trip."""
    return engine.execution_options(**{_AUTOCOMMIT: True})


def send_begin(connection: Connection) -> None:
    """Have the database begin a transaction that writes."""
    execute(connection, connection.get_execution_options()[_BEGIN])
