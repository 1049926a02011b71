"""What the commands share: the database's option, and how they fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from enrollment_server.db import backends, faults, schema
from enrollment_server.db.backends import shown
from enrollment_server.errors import Conflict, DatabaseUnavailable
from enrollment_server.listening import BadAddressError, CannotListenError
from enrollment_server.loading import source
from enrollment_server.ops.supervisor import WorkerFailedError
from enrollment_server.reloading import BadFileError
from enrollment_server.settings import DEFAULT_DATABASE_URL, ContradictionError


def command(function: Callable[..., Any]) -> click.Command:
    # Else the variables of `serve` would be ENROLLMENT_SERVE_..., those of `load` others.
    return click.command(context_settings={"auto_envvar_prefix": "ENROLLMENT"})(function)


def _parse_database_url(_context: click.Context, _option: click.Parameter, text: str) -> URL:
    try:
        return backends.parse_url(text)
    except backends.BadDatabaseUrlError as error:
        raise click.BadParameter(str(error)) from None


database_url = click.option(
    "--database-url",
    callback=_parse_database_url,
    default=DEFAULT_DATABASE_URL,
    metavar="URL",
    help="sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.",
)


@contextmanager
def failing_in_a_line(url: URL) -> Iterator[None]:
    """What a person can put right ends the program with one line, not a traceback."""
    try:
        yield
    except (
        BadAddressError,
        BadFileError,
        CannotListenError,
        CommandError,
        Conflict,
        ContradictionError,
        WorkerFailedError,
        schema.NotAtHeadError,
        source.BadFileError,
    ) as error:
        raise click.ClickException(str(error)) from None
    except DatabaseUnavailable as error:
        reason = faults.summary(error.__cause__ or error)
        raise click.ClickException(f"cannot reach {shown(url)}: {reason}") from None
    except (SQLAlchemyError, psycopg.Error, faults.UnexpectedError) as error:
        # Rights that are missing, tables of another make, a setting that the driver refuses.
        raise click.ClickException(f"cannot use {shown(url)}: {faults.summary(error)}") from None
