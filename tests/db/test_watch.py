"""What becomes of a connection whose call is over."""

import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from enrollment_server.db.watch import SOCKET, Watch
from enrollment_server.deadline import Deadline
from enrollment_server.errors import DeadlineExceeded


class Connection:
    """As much of a connection as is looked at."""

    def __init__(self) -> None:
        self.connection = SimpleNamespace(driver_connection=object())
        ours, self.theirs = socket.socketpair()
        self.info = {SOCKET: ours}
        self.invalidated = False

    def invalidate(self) -> None:
        self.invalidated = True


@pytest.mark.parametrize("committing", [False, True])
def test_it_is_cancelled_and_cut_but_a_commit_is_only_cut(committing: bool) -> None:
    cancelled: list[object] = []
    watch = Watch(cancelled.append)
    connection: Any = Connection()

    left = threading.Event()
    with watch.watching(connection, Deadline(60, lambda: not left.is_set())):
        if committing:
            watch.committing(connection)
        left.set()
        assert connection.theirs.recv(1) == b""  # it is cut

    assert cancelled == ([] if committing else [connection.connection.driver_connection])
    assert connection.invalidated
    for one in (connection.theirs, connection.info[SOCKET]):
        one.close()


def test_no_commit_begins_that_a_cancellation_could_hit() -> None:
    cancelled = threading.Event()
    watch = Watch(lambda _connection: cancelled.set())
    connection: Any = Connection()

    with watch.watching(connection, Deadline(0)):
        assert cancelled.wait(10)
        with pytest.raises(DeadlineExceeded):
            watch.committing(connection)

    assert connection.invalidated
    for one in (connection.theirs, connection.info[SOCKET]):
        one.close()
