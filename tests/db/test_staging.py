"""Rows that are put where the statements of a transaction find them, on every database."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Text, select

from enrollment_server.db.backends import backend_of
from enrollment_server.db.staging import Staging


@pytest.fixture
def staging(engine: Engine) -> Staging:
    return backend_of(engine).staging("staged", {"id": Text(), "name": Text()})


def refill(
    staging: Staging, connection: Connection, rows: Sequence[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    """What a statement finds when these rows were put there."""
    parameters = staging.fill(connection, rows)
    return [tuple(row) for row in connection.execute(select(staging.table), parameters)]


def test_statements_find_the_rows_put_there_last(engine: Engine, staging: Staging) -> None:
    with engine.begin() as connection:
        assert refill(staging, connection, [("a", "Ada"), ("b", "Bob")]) == [
            ("a", "Ada"),
            ("b", "Bob"),
        ]
        assert refill(staging, connection, [("c", "Eve")]) == [("c", "Eve")]
        assert refill(staging, connection, []) == []


def test_nothing_is_left_for_the_next_transaction(engine: Engine, staging: Staging) -> None:
    for _ in range(10):  # often enough for psycopg to prepare the statements
        with engine.begin() as connection:
            assert refill(staging, connection, [("a", "Ada")]) == [("a", "Ada")]
    with engine.connect() as connection:
        connection.begin().rollback()
    with engine.begin() as connection:
        assert refill(staging, connection, []) == []


@pytest.mark.parametrize(
    "cell", [None, "", " ", "\\N", "\\.", "\\", "a\tb", "a\nb", "a\r\nb", '"', "'", ",", "Zoë 你好"]
)
def test_a_cell_comes_out_as_it_went_in(engine: Engine, staging: Staging, cell: str | None) -> None:
    with engine.begin() as connection:
        assert refill(staging, connection, [("a", cell)]) == [("a", cell)]
