"""`enrollment-server`: serve, migrate, load, check.

Every option has a variable, ENROLLMENT_ and its name: `--database-url` is
ENROLLMENT_DATABASE_URL.
"""

import click

from enrollment_server import __version__
from enrollment_server.cli.load import load
from enrollment_server.cli.schema import check, migrate
from enrollment_server.cli.serve import serve
from enrollment_server.ops import logging


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="enrollment-server")
def main() -> None:
    """Which courses a student takes: a gRPC service on SQLite or PostgreSQL.

    For a new database: migrate, load students and courses, serve.

    Each option of a command can be given as a variable instead, ENROLLMENT_ and its name:
    ENROLLMENT_DATABASE_URL is --database-url, and keeps a password off the command line.
    """
    logging.configure()


for command in (serve, migrate, load, check):
    main.add_command(command)
