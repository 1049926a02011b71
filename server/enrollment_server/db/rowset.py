"""Rows given by the caller, as a table inside a statement.

A statement over a rowset has the same text for one row and for a thousand, so it is
compiled once, prepared once, and takes one round trip.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import (
    ARRAY,
    Connection,
    FromClause,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.types import TypeEngine


class Rowset(Protocol):
    """A table whose rows are parameters."""

    @property
    def table(self) -> FromClause:
        """What a statement selects from or joins to."""

    def parameters(self, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """The parameters with which the table has these rows, in this order."""


class ArrayRowset:
    """One array parameter for each column, unnested side by side.

    They are spelled here, as PostgreSQL reads them: psycopg looks for the type of each element.
    """

    def __init__(self, name: str, columns: Mapping[str, TypeEngine[Any]]) -> None:
        self._names = [f"{name}_{key}" for key in columns]
        arrays = [
            cast(bindparam(parameter, type_=Text), ARRAY(type_))
            for parameter, type_ in zip(self._names, columns.values(), strict=True)
        ]
        self.table: FromClause = (
            func.unnest(*arrays)
            .table_valued(*(column(key, type_) for key, type_ in columns.items()))
            .render_derived(name=name)
        )

    def parameters(self, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        return {
            name: f"{{{','.join([_element(row[place]) for row in rows])}}}"
            for place, name in enumerate(self._names)
        }


def _element(value: str | int | None) -> str:
    """As it is in an array: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO."""
    if value is None:
        return "NULL"
    return '"' + str(value).replace("\\", r"\\").replace('"', r"\"") + '"'


class JsonRowset:
    """One JSON document of arrays, for a database without array parameters."""

    def __init__(self, name: str, columns: Mapping[str, TypeEngine[Any]]) -> None:
        self._name = name
        each = func.json_each(bindparam(name, type_=Text)).table_valued(
            "value", name=f"{name}_json"
        )
        self.table: FromClause = select(
            *(
                func.json_extract(each.c.value, literal_column(f"'$[{i}]'"), type_=type_).label(key)
                for i, (key, type_) in enumerate(columns.items())
            )
        ).subquery(name)

    def parameters(self, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        return {self._name: json.dumps(rows)}

    def fill(self, _connection: Connection, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """As a staging: nothing is put anywhere."""
        return self.parameters(rows)
