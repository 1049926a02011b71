"""Connections that stay open, and are lent to one unit of work after another."""

import logging
import time
from collections import deque
from collections.abc import Callable

from sqlalchemy import Connection, Engine

from enrollment_server.db.backends import CONNECT_TIMEOUT
from enrollment_server.db.connecting import connecting_until
from enrollment_server.db.slots import Slots
from enrollment_server.deadline import Deadline
from enrollment_server.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)


class Connections:
    """At most so many connections of an engine that keeps none itself.

    A pool of SQLAlchemy's would make a Connection for each use, and have the driver roll back
    after it: that takes a third of the time of a small read. Nor would it know deadlines.
    """

    def __init__(self, engine: Engine, most: int) -> None:
        self._engine = engine
        self._slots = Slots(most)
        # Each in turn, too: whatever lies between may forget one that is not used for long.
        self._idle: deque[Connection] = deque()

    @property
    def in_use(self) -> int:
        """How many are lent."""
        return self._slots.taken

    def take(self, deadline: Deadline, in_vain: Callable[[], bool]) -> Connection:
        """Take one, in turn; it is to be given back, without a transaction or invalidated.

        Waits no longer than the deadline lasts, and not if it is `in_vain`. Raises
        DatabaseUnavailable, also after CONNECT_TIMEOUT, and what connecting raises.
        """
        end = time.monotonic() + CONNECT_TIMEOUT
        if not self._slots.take(lambda: in_vain() or deadline.over or time.monotonic() > end):
            logger.warning("no connection to the database was free in time")
            raise DatabaseUnavailable
        if idle := self._take_idle():
            return idle
        try:
            with connecting_until(deadline):
                return self._engine.connect()
        except BaseException:
            self._slots.give_back()
            raise

    def give_back(self, connection: Connection) -> None:
        """End a use of it."""
        if not connection.invalidated:
            self._idle.append(connection)
        self._slots.give_back()

    def close_idle(self) -> None:
        """Close those that are not in use."""
        while idle := self._take_idle():
            idle.close()

    def _take_idle(self) -> Connection | None:
        try:
            return self._idle.popleft()
        except IndexError:  # to look before would not help: others take them meanwhile
            return None
