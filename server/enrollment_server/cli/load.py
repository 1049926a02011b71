"""`load`: rows from CSV files."""

import sys
from pathlib import Path

import click
from sqlalchemy import URL

from enrollment_server.cli.common import command, database_url, failing_in_a_line
from enrollment_server.db import schema
from enrollment_server.db.backends import create_engine
from enrollment_server.db.bulk import Bulk
from enrollment_server.loading import report
from enrollment_server.loading.loader import Loader
from enrollment_server.loading.source import COURSES, ENROLLMENTS, STUDENTS, CsvSource


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
    with failing_in_a_line(database_url):
        engine = create_engine(database_url)
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
