"""Connections that stay open and are lent in turn, on every database."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from enrollment_server.db import backends
from enrollment_server.db.connections import Connections
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import DatabaseUnavailable


def no() -> bool:
    return False


@pytest.fixture
def connections(engine: Engine) -> Iterator[Connections]:
    connections = Connections(engine, 2)
    yield connections
    connections.close_idle()


def test_are_lent_again(connections: Connections) -> None:
    first = connections.take(NEVER, no)
    connections.give_back(first)

    assert connections.take(NEVER, no) is first
    assert connections.take(NEVER, no) is not first


def test_are_counted_while_they_are_lent(connections: Connections) -> None:
    assert connections.in_use == 0
    lent = connections.take(NEVER, no)
    assert connections.in_use == 1
    connections.give_back(lent)
    assert connections.in_use == 0


@pytest.mark.parametrize(
    ("deadline", "in_vain"), [(Deadline(0.05), False), (NEVER, True)], ids=["over", "in vain"]
)
def test_are_not_waited_for_when_nobody_would_use_them(
    connections: Connections, deadline: Deadline, in_vain: bool
) -> None:
    lent = [connections.take(NEVER, no), connections.take(NEVER, no)]

    with pytest.raises(DatabaseUnavailable):
        connections.take(deadline, lambda: in_vain)

    connections.give_back(lent[0])
    assert connections.take(deadline, no) is lent[0]


def test_that_cannot_be_made_leave_room_for_the_next() -> None:
    unreachable = backends.create_engine(backends.parse_url("sqlite:////no/such/folder/x.db"))
    connections = Connections(unreachable, 1)

    for _ in range(2):
        with pytest.raises(Exception, match="unable to open"):
            connections.take(NEVER, no)

    assert connections.in_use == 0


def test_are_used_in_turn(connections: Connections) -> None:
    first, second = connections.take(NEVER, no), connections.take(NEVER, no)
    connections.give_back(first)
    connections.give_back(second)

    used = []
    for _ in range(4):
        used.append(connections.take(NEVER, no))
        connections.give_back(used[-1])

    assert used == [first, second, first, second]


def test_that_are_done_with_are_replaced_and_the_others_stay(connections: Connections) -> None:
    done_with, other = connections.take(NEVER, no), connections.take(NEVER, no)
    connections.give_back(other)
    done_with.invalidate()
    connections.give_back(done_with)

    assert connections.take(NEVER, no) is other
    assert connections.take(NEVER, no) is not done_with


def test_are_closed_for_the_database_too(connections: Connections, engine: Engine) -> None:
    lent = connections.take(NEVER, no)
    driver_connection: Any = lent.connection.driver_connection
    connections.give_back(lent)

    connections.close_idle()

    with pytest.raises(engine.dialect.loaded_dbapi.Error, match="closed"):
        driver_connection.cursor()
