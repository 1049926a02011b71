"""Statements that are compiled once, when the program starts.

`Connection.execute` looks up what it compiled before, by a key that it makes of all parts of
the statement each time, which takes as long as many a statement takes PostgreSQL.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.expression import ReturnsRows

from enrollment_server.db.driver import execute


class CompiledStatement:
    """A statement that returns rows, for databases of one dialect.

    It is made of columns that have types, and its text is the same for all parameters: it has no
    `in_` of a list.
    """

    def __init__(self, statement: ReturnsRows, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._order = compiled.positiontup  # of parameters, where they have no names
        parameters = {name: parameter for parameter, name in compiled.bind_names.items()}
        self._defaults = {
            name: parameter.effective_value
            for name, parameter in parameters.items()
            if not parameter.required
        }
        self._encoders = [
            (name, encode)
            for name, parameter in parameters.items()
            if (encode := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        ]
        columns: Any = statement.exported_columns
        self._decoders = [
            (place, decode)
            for place, column in enumerate(columns)
            if (decode := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]

    def rows(self, connection: Connection, parameters: Mapping[str, Any]) -> list[list[Any]]:
        """Execute it; returns its rows. Raises what `execute` raises."""
        values: Any = {**self._defaults, **parameters}
        for name, encode in self._encoders:
            values[name] = encode(values[name])
        if self._order is not None:
            values = tuple(values[name] for name in self._order)
        rows = [list(row) for row in execute(connection, self._text, values)]
        for place, decode in self._decoders:
            for row in rows:
                row[place] = decode(row[place])
        return rows
