"""The schema: which revision a database is at, and how it gets to the newest.

Every function raises DatabaseUnavailable when the database cannot be reached.
"""

import importlib.resources
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Inspector, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from enrollment_server.db import backends, faults
from enrollment_server.db.database import Database, Unit
from enrollment_server.db.models import Base
from enrollment_server.deadline import Deadline
from enrollment_server.errors import DatabaseUnavailable


class NotAtHeadError(Exception):
    """The schema is not the one this code needs; the message says what to do."""


class NewerSchemaError(NotAtHeadError):
    """A newer version of this code has migrated the schema."""


@dataclass(frozen=True)
class Revisions:
    """The revision that a database is at (None before the first), and the newest."""

    current: str | None
    head: str

    @property
    def at_head(self) -> bool:
        return self.current == self.head


def revisions(engine: Engine) -> Revisions:
    """Where the schema of this database stands.

    Raises NewerSchemaError for a revision that this code does not know.
    """
    scripts = ScriptDirectory.from_config(_config())
    [head] = scripts.get_heads()
    if not backends.exists(engine.url):
        return Revisions(None, head)
    with _reading(engine) as connection:
        heads = MigrationContext.configure(connection).get_current_heads()
    if not set(heads) <= {script.revision for script in scripts.walk_revisions()}:
        raise NewerSchemaError(
            f"the schema is at revision {', '.join(heads)}, which this version does not know: "
            "a newer one made it"
        )
    return Revisions(max(heads, default=None), head)


def require_head(engine: Engine) -> None:
    """Raise NotAtHeadError unless the schema is at the newest revision."""
    state = revisions(engine)
    if not state.at_head:
        raise NotAtHeadError(
            f"the schema is at revision {state.current or 'none'}, not at {state.head}; "
            f"run: enrollment-server migrate --database-url {backends.shown(engine.url)}"
        )


class SchemaProbe:
    """Asks a database, again and again, whether it answers and has the schema to serve from.

    A revision that this code does not know is one: a newer version has migrated already, and
    what it needs it has added.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        scripts = ScriptDirectory.from_config(_config())
        [self._head] = scripts.get_heads()
        self._older = {script.revision for script in scripts.walk_revisions()} - {self._head}

    def __call__(self, deadline: Deadline) -> None:
        """Raises NotAtHeadError, and as `Database.run` does."""

        def work(unit: Unit) -> list[str]:
            with unit.reading() as connection:
                return list(connection.scalars(text("SELECT version_num FROM alembic_version")))

        found = self._database.run(work, deadline)
        if not found or not self._older.isdisjoint(found):
            raise NotAtHeadError(
                f"the schema is at revision {', '.join(found) or 'none'}, not at {self._head}"
            )


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision."""
    config = _config()
    with _unavailable_if_unreachable(), engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migration_sql(dialect: str, current: str | None) -> str:
    """What `migrate` would run on a database at this revision."""
    output = StringIO()
    config = _config(output_buffer=output)
    config.attributes["dialect"] = dialect
    command.upgrade(config, f"{current or 'base'}:head", sql=True)
    return output.getvalue()


def differences(engine: Engine) -> list[str]:
    """How the tables in the database differ from the mapped classes, a line each.

    Tables and columns that the classes do not know are none of this service's business.
    """
    options = {
        "compare_type": _types_differ,
        "include_object": lambda _object, _name, _type, reflected, compare_to: (
            not (reflected and compare_to is None)
        ),
    }
    with _reading(engine) as connection:
        context = MigrationContext.configure(connection, opts=options)
        found = [_line(difference) for difference in compare_metadata(context, Base.metadata)]
        return found + _unfit_tables(inspect(connection))


def _unfit_tables(inspector: Inspector) -> list[str]:
    """What Alembic does not compare, or `differences` does not have it compare."""
    found = []
    for table in Base.metadata.sorted_tables:
        if not inspector.has_table(table.name):
            continue
        expected = [column.name for column in table.primary_key]
        key = inspector.get_pk_constraint(table.name)["constrained_columns"]
        if key != expected:
            found.append(f"primary key of {table.name} is {key}, not {expected}")
        for column in inspector.get_columns(table.name):
            needed = not column["nullable"] and column["default"] is None
            if needed and column["name"] not in table.columns:
                found.append(f"{table.name}.{column['name']} is required, and would stay empty")
    return found


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    with _unavailable_if_unreachable(), backends.autocommitting(engine).connect() as connection:
        yield connection


@contextmanager
def _unavailable_if_unreachable() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        if faults.is_unavailable(error):
            raise DatabaseUnavailable from error
        raise


def _config(**options: Any) -> Config:
    scripts = importlib.resources.files("enrollment_server.migrations")
    config = Config(**options)
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    return config


def _types_differ(
    context: MigrationContext, _found: object, _expected: object, found: Any, expected: Any
) -> bool | None:
    """Whether a column's types differ; None where Alembic is to say."""
    expected = expected.dialect_impl(context.dialect)
    length = getattr(found, "length", None)
    if length is not None and length < (getattr(expected, "length", None) or float("inf")):
        return True
    # Ids of another collation have another order, and indexes that joins cannot use.
    if getattr(found, "collation", None) != getattr(expected, "collation", None):
        return True
    return None


def _line(difference: Any) -> str:
    if isinstance(difference, list):  # changes to one column come as a list
        return "; ".join(_line(one) for one in difference)
    parts = [getattr(part, "name", part) for part in difference if part is not None]
    return " ".join(str(part) for part in parts if not isinstance(part, dict))
