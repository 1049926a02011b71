"""`migrate` and `check`: the schema of a database."""

import click
from sqlalchemy import URL

from enrollment_server.cli.common import command, database_url, failing_in_a_line
from enrollment_server.db import schema
from enrollment_server.db.backends import create_engine, shown


@command
@database_url
@click.option("--sql", is_flag=True, help="Print the statements that would run; run none.")
def migrate(database_url: URL, sql: bool) -> None:
    """Bring the schema to the newest revision, from any before it."""
    with failing_in_a_line(database_url):
        if not sql:
            migrate_to_head(database_url)
            return
        state = schema.revisions(create_engine(database_url))
        if not state.at_head:
            click.echo(schema.migration_sql(database_url.get_backend_name(), state.current))


@command
@database_url
def check(database_url: URL) -> None:
    """Say whether the database is reachable, at the newest revision, and as the code has it.

    Exits with 0 if it is all of that, else with 1.
    """
    with failing_in_a_line(database_url):
        engine = create_engine(database_url)
        schema.require_head(engine)
        differences = schema.differences(engine)
    if differences:
        raise click.ClickException("\n".join(["the database differs:", *differences]))
    click.echo(f"{shown(database_url)} is reachable, at head, and as the code has it")


def migrate_to_head(url: URL) -> None:
    """Migrate, and say what became of it."""
    engine = create_engine(url)
    before = schema.revisions(engine)
    schema.migrate(engine)
    if before.at_head:
        click.echo(f"{shown(url)} is at revision {before.head}")
    else:
        click.echo(f"{shown(url)} went from revision {before.current or 'none'} to {before.head}")
