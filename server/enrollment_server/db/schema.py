"""The schema: which revision the database is at, and how it gets to the newest.

Every function takes a connection of its own to use up: a migration sets timeouts on it.
"""

import importlib.resources
from dataclasses import dataclass
from io import StringIO
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from enrollment_server.db.models import Base


@dataclass(frozen=True)
class Revisions:
    """The revision that a database is at (None before the first), and the newest."""

    current: str | None
    head: str

    @property
    def at_head(self) -> bool:
        return self.current == self.head


def revisions(connection: Connection) -> Revisions:
    """Where the schema of this database stands."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "the migrations are part of this package"  # noqa: S101
    return Revisions(MigrationContext.configure(connection).get_current_revision(), head)


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest revision."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def migration_sql(dialect: str, current: str | None) -> str:
    """What `migrate` would run on a database at this revision."""
    output = StringIO()
    config = _config(output_buffer=output)
    config.attributes["dialect"] = dialect
    command.upgrade(config, f"{current or 'base'}:head", sql=True)
    return output.getvalue()


def differences(connection: Connection) -> list[str]:
    """How the tables in the database differ from the mapped classes, a line each.

    Tables and columns that the classes do not know are none of this service's business.
    """
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "include_object": lambda _object, _name, _type, reflected, compare_to: (
                not (reflected and compare_to is None)
            ),
        },
    )
    return [_line(difference) for difference in compare_metadata(context, Base.metadata)]


def _config(**options: Any) -> Config:
    scripts = importlib.resources.files("enrollment_server.migrations")
    config = Config(**options)
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    return config


def _line(difference: Any) -> str:
    if isinstance(difference, list):  # changes to one column come as a list
        return "; ".join(_line(one) for one in difference)
    return " ".join(str(part) for part in difference if part is not None)
