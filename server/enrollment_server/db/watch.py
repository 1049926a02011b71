"""A statement does not outlive the call that it is for.

psycopg waits for an answer as long as it takes. So a thread looks after the connections in
use: when a call is over, it has the database cancel what runs on its connection, and when
that does not help, because nobody answers there, it cuts the connection. The connection
is then done with, so that a cancellation that comes late cannot hit its next user.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection

from enrollment_server.deadline import TICK, Deadline
from enrollment_server.errors import DeadlineExceeded

GRACE = 0.1  # seconds that a cancelled statement has to end before its connection is cut
LINGER = 1.0  # seconds that the thread stays when nothing is in use

SOCKET = "socket"  # under which Connection.info has the socket to cut, if there is one

logger = logging.getLogger(__name__)


class _Use:
    """A connection, in use for a call."""

    def __init__(self, connection: Connection, deadline: Deadline) -> None:
        self.driver_connection = connection.connection.driver_connection
        self.socket: socket.socket | None = connection.info.get(SOCKET)
        self.deadline = deadline
        self.stopped_at: float | None = None
        self.committing = False

    def cut(self) -> None:
        """End the connection, whatever it is doing: it is lost, to the thread that uses it."""
        if self.socket is not None:
            with suppress(OSError):  # it is closed already
                self.socket.shutdown(socket.SHUT_RDWR)


class Watch:
    """Looks after the connections in use.

    `cancel` has the database stop what runs on a driver's connection, and may take its time.
    """

    def __init__(self, cancel: Callable[[Any], None]) -> None:
        self._cancel = cancel
        self._lock = threading.Lock()  # held to look and to cut, never to wait
        self._uses: set[_Use] = set()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, connection: Connection, deadline: Deadline) -> Iterator[None]:
        """Stop what runs on this connection when the deadline is over.

        That raises what the driver raises: query_canceled, or a connection lost.
        """
        use = _Use(connection, deadline)
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._look, name="watch", daemon=True)
                thread.start()
                self._thread = thread
            self._uses.add(use)
        try:
            yield
        finally:
            with self._lock:
                self._uses.remove(use)
            if use.stopped_at is not None:
                connection.invalidate()

    def committing(self, connection: Connection) -> None:
        """What runs on it from now on is a commit: it is not cancelled, only cut.

        PostgreSQL would call a commit that waits for a replica, and is cancelled, a success.
        Raises DeadlineExceeded if a cancellation is under way.
        """
        driver_connection = connection.connection.driver_connection
        with self._lock:
            [use] = [use for use in self._uses if use.driver_connection is driver_connection]
            if use.stopped_at is not None:
                raise DeadlineExceeded
            use.committing = True

    def cut_all(self) -> None:
        """Cut every connection in use: there is no answer to be expected."""
        with self._lock:
            for use in self._uses:
                use.cut()

    def _look(self) -> None:
        last_used = time.monotonic()
        while True:
            # It looks, and is not told: to be told would cost every call a wake-up.
            time.sleep(TICK)
            now = time.monotonic()
            with self._lock:
                uses = list(self._uses)
                if uses:
                    last_used = now
                elif now - last_used > LINGER:
                    self._thread = None
                    return
            for use in uses:
                if use.deadline.over:
                    self._stop(use, now)

    def _stop(self, use: _Use, now: float) -> None:
        with self._lock:
            if use not in self._uses:
                return
            if use.stopped_at is None:
                use.stopped_at = now
                if use.committing:
                    return
                try:
                    threading.Thread(target=self._try_to_cancel, args=(use,), daemon=True).start()
                except RuntimeError:  # no more threads can be had
                    use.cut()
            elif now - use.stopped_at > GRACE:
                use.cut()

    def _try_to_cancel(self, use: _Use) -> None:
        try:
            self._cancel(use.driver_connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection will be cut
            logger.warning("a statement could not be cancelled: %s", error)
