"""Rows that are parameters of a compiled statement come out as they went in, on every database."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, Integer, Text, bindparam, select
from sqlalchemy.exc import ProgrammingError

from enrollment_server.db.backends import backend_of
from enrollment_server.db.compiled import CompiledStatement
from enrollment_server.db.models import UtcDateTime


def selected(engine: Engine, rows: list[tuple[int, str | None]]) -> list[Any]:
    rowset = backend_of(engine).rowset("asked", {"number": Integer(), "name": Text()})
    statement = CompiledStatement(select(rowset.table), engine.dialect)
    with engine.connect() as connection:
        return statement.rows(connection, rowset.parameters(rows))


def test_no_rows(engine: Engine) -> None:
    assert selected(engine, []) == []


def test_many_in_their_order(engine: Engine) -> None:
    assert selected(engine, [(2, "b"), (-1, "a"), (2, "b")]) == [[2, "b"], [-1, "a"], [2, "b"]]


@pytest.mark.parametrize(
    "text",
    [None, "", " ", "NULL", "{}", "a,b", "\\", '"', '\\"', "'", "%s", ":a", "\n", "Zoë 你好"],
)
def test_any_text(engine: Engine, text: str | None) -> None:
    assert selected(engine, [(1, text)]) == [[1, text]]


def test_other_parameters_and_columns_have_the_types_of_the_statement(engine: Engine) -> None:
    time = datetime(2026, 9, 1, 8, 30, 0, 1, tzinfo=UTC)
    statement = CompiledStatement(
        select(bindparam("time", type_=UtcDateTime), bindparam("size", 7, type_=Integer)),
        engine.dialect,
    )
    with engine.connect() as connection:
        assert statement.rows(connection, {"time": time}) == [[time, 7]]


def test_a_parameter_that_is_missing_is_not_taken_for_null(engine: Engine) -> None:
    statement = CompiledStatement(select(bindparam("size", type_=Integer)), engine.dialect)
    with engine.connect() as connection, pytest.raises((KeyError, ProgrammingError), match="size"):
        statement.rows(connection, {"sizes": 1})
