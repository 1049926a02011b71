"""`enrollment-server`: serve, migrate, load, check.

Every option has a variable, ENROLLMENT_ and its name: `--database-url` is
ENROLLMENT_DATABASE_URL.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg
from alembic.util import CommandError
from sqlalchemy import URL, Engine
from sqlalchemy.exc import SQLAlchemyError

from enrollment_server import __version__
from enrollment_server.app import App, CannotListenError
from enrollment_server.db import backends, faults, schema
from enrollment_server.db.backends import shown
from enrollment_server.db.bulk import Bulk
from enrollment_server.errors import Conflict, DatabaseUnavailable
from enrollment_server.loading import report
from enrollment_server.loading.loader import Loader
from enrollment_server.loading.source import (
    COURSES,
    ENROLLMENTS,
    STUDENTS,
    BadFileError,
    CsvSource,
)
from enrollment_server.ops import logging
from enrollment_server.settings import DEFAULT_DATABASE_URL, Settings

STOPPING = (signal.SIGINT, signal.SIGTERM)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="enrollment-server")
def main() -> None:
    """Which courses a student takes: a gRPC service on SQLite or PostgreSQL.

    For a new database: migrate, load students and courses, serve.

    Each option of a command can be given as a variable instead, ENROLLMENT_ and its name:
    ENROLLMENT_DATABASE_URL is --database-url, and keeps a password off the command line.
    """
    logging.configure()


def command(function: Callable[..., None]) -> click.Command:
    # Else the variables of `serve` would be ENROLLMENT_SERVE_..., those of `load` others.
    return main.command(context_settings={"auto_envvar_prefix": "ENROLLMENT"})(function)


def parse_database_url(_context: click.Context, _option: click.Parameter, text: str) -> URL:
    try:
        return backends.parse_url(text)
    except backends.BadDatabaseUrlError as error:
        raise click.BadParameter(str(error)) from None


database_url = click.option(
    "--database-url",
    callback=parse_database_url,
    default=DEFAULT_DATABASE_URL,
    metavar="URL",
    help="sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.",
)


@command
@database_url
@click.option(
    "--listen",
    default=Settings.listen,
    metavar="HOST:PORT",
    help="Where to listen; port 0 picks a free one.",
)
@click.option("--migrate", is_flag=True, help="Bring the schema to the newest revision first.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=Settings.threads,
    help="Calls answered at once, each with a database connection of its own.",
)
@click.option(
    "--queue",
    type=click.IntRange(min=1),
    default=Settings.queue,
    help="Calls that may wait for a thread; more are refused with RESOURCE_EXHAUSTED.",
)
@click.option(
    "--default-timeout",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    default=Settings.default_timeout,
    metavar="SECONDS",
    help="How long a call may take that comes without a deadline.",
)
@click.option(
    "--drain-timeout",
    type=click.FloatRange(min=0, max=3600),
    default=Settings.drain_timeout,
    metavar="SECONDS",
    help="How long calls in flight may take to finish on shutdown.",
)
def serve(migrate: bool, **settings: Any) -> None:
    """Answer calls until SIGTERM or Ctrl-C.

    A line on standard output says when it is ready, and at which address. It does not
    start on a schema that is not at the newest revision.
    """
    with failing_in_a_line(settings["database_url"]):
        if migrate:
            migrate_to_head(settings["database_url"])
        # Before there are threads, which inherit it: if one of them took the signal, this
        # one, in which Python handles signals, would sleep on.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        app = App(Settings(**settings))
        address = app.start()
    click.echo(f"enrollment-server {__version__} is ready on {address}")
    signal.sigwait(STOPPING)
    for number in STOPPING:  # a second one does not wait
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    app.drain()
    # Not by returning: Python would wait for every thread, gRPC's and those that still wait
    # for the database.
    sys.stdout.flush()
    os._exit(0)


@command
@database_url
@click.option("--sql", is_flag=True, help="Print the statements that would run; run none.")
def migrate(database_url: URL, sql: bool) -> None:
    """Bring the schema to the newest revision, from any before it."""
    with failing_in_a_line(database_url):
        if not sql:
            migrate_to_head(database_url)
            return
        with engine_for(database_url) as engine:
            state = schema.revisions(engine)
        if not state.at_head:
            click.echo(schema.migration_sql(database_url.get_backend_name(), state.current))


@command
@database_url
@click.option(
    "--students", type=click.Path(path_type=Path), metavar="FILE", help="CSV: id,name,email."
)
@click.option(
    "--courses", type=click.Path(path_type=Path), metavar="FILE", help="CSV: id,code,title."
)
@click.option(
    "--enrollments",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV: student_id,course_id.",
)
@click.option("--strict", is_flag=True, help="Load nothing if any line would be rejected.")
def load(
    database_url: URL,
    students: Path | None,
    courses: Path | None,
    enrollments: Path | None,
    strict: bool,
) -> None:
    """Bring students, courses and enrolments in from CSV files, UTF-8 with a header.

    What is new is inserted, what differs is updated, and nothing is deleted; so a load can
    be run again at any time. A bad line is rejected, with its number and the reason. Exits
    with 1 if lines were rejected: the others are in, except with --strict.
    """
    files = {STUDENTS: students, COURSES: courses, ENROLLMENTS: enrollments}
    if not any(files.values()):
        raise click.UsageError("name at least one file: --students, --courses, --enrollments")
    with failing_in_a_line(database_url), engine_for(database_url) as engine:
        schema.require_head(engine)
        sources = [CsvSource(layout, path) for layout, path in files.items() if path]
        with report.showing(sources) as view:
            loader = Loader(Bulk(engine), view.rejected, view.progressed)
            tallies = loader.check(sources) if strict else {}
            refused = any(tally.rejected for tally in tallies.values())
            if not refused:
                tallies = loader.load(sources)
    for layout, tally in tallies.items():
        click.echo(f"{layout.name}: {tally}")
    if refused:
        click.echo("Nothing was loaded: --strict.", err=True)
    if any(tally.rejected for tally in tallies.values()):
        sys.exit(1)


@command
@database_url
def check(database_url: URL) -> None:
    """Say whether the database is reachable, at the newest revision, and as the code has it.

    Exits with 0 if it is all of that, else with 1.
    """
    with failing_in_a_line(database_url), engine_for(database_url) as engine:
        schema.require_head(engine)
        differences = schema.differences(engine)
    if differences:
        raise click.ClickException("\n".join(["the database differs:", *differences]))
    click.echo(f"{shown(database_url)} is reachable, at head, and as the code has it")


def migrate_to_head(url: URL) -> None:
    with engine_for(url) as engine:
        before = schema.revisions(engine)
        schema.migrate(engine)
    if before.at_head:
        click.echo(f"{shown(url)} is at revision {before.head}")
    else:
        click.echo(f"{shown(url)} went from revision {before.current or 'none'} to {before.head}")


@contextmanager
def engine_for(url: URL) -> Iterator[Engine]:
    engine = backends.create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def failing_in_a_line(url: URL) -> Iterator[None]:
    """What a person can put right ends the program with one line, not a traceback."""
    try:
        yield
    except (
        CannotListenError,
        schema.NotAtHeadError,
        BadFileError,
        Conflict,
        CommandError,
    ) as error:
        raise click.ClickException(str(error)) from None
    except DatabaseUnavailable as error:
        reason = faults.summary(error.__cause__ or error)
        raise click.ClickException(f"cannot reach {shown(url)}: {reason}") from None
    except (SQLAlchemyError, psycopg.Error) as error:
        # Rights that are missing, tables of another make, a setting that the driver refuses.
        raise click.ClickException(f"cannot use {shown(url)}: {faults.summary(error)}") from None
