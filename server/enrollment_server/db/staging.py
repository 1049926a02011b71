"""Rows given by the caller, put where the statements of one transaction find them.

For more rows than one would send with each statement: for loading, not for answering calls.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    FromClause,
    MetaData,
    Table,
    delete,
    event,
)
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

_ROWS = "copied_rows"  # the execution option of a COPY


class Staging(Protocol):
    """A table whose rows are put there in the transaction that reads them."""

    @property
    def table(self) -> FromClause:
        """What a statement selects from or joins to."""

    def fill(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Give the table these rows and no others, to the end of the transaction.

        Returns the parameters that every statement on the table takes. Raises what a
        statement does.
        """


class TemporaryTable:
    """A table that comes and goes with the transaction, filled by COPY."""

    def __init__(self, name: str, columns: Mapping[str, TypeEngine[Any]]) -> None:
        self.table = Table(
            name,
            MetaData(),
            *(Column(key, type_) for key, type_ in columns.items()),
            prefixes=["TEMPORARY"],
            postgresql_on_commit="DROP",
        )

    def fill(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        connection.execute(CreateTable(self.table, if_not_exists=True))
        connection.execute(delete(self.table))  # if it is filled again
        name = connection.dialect.identifier_preparer.format_table(self.table)
        connection.exec_driver_sql(f"COPY {name} FROM STDIN", execution_options={_ROWS: rows})
        return {}


def send_rows_to_copy(engine: Engine) -> None:
    """Have the engine's driver, psycopg, send what a TemporaryTable copies.

    In place of the cursor's `execute`, so what goes wrong is an error like any other.
    """

    @event.listens_for(engine, "do_execute")
    def copy(cursor: Any, statement: str, _parameters: object, context: Any) -> bool:
        rows = context.execution_options.get(_ROWS)
        if rows is None:
            return False
        with cursor.copy(statement) as copying:
            for row in rows:
                copying.write_row(row)
        return True
