"""What becomes of a connection whose call is over."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from enrollment_server.db.watch import SOCKET, Watch
from enrollment_server.deadline import Deadline


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

    with watch.watching(connection, Deadline(0)):
        if committing:
            watch.committing(connection)
        assert connection.theirs.recv(1) == b""  # it is cut

    assert cancelled == ([] if committing else [connection.connection.driver_connection])
    assert connection.invalidated
    for one in (connection.theirs, connection.info[SOCKET]):
        one.close()
