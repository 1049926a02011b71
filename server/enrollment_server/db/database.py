"""Units of work on a database: reads in autocommit, writes in a transaction, retried."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from enrollment_server.db import faults
from enrollment_server.db.backends import backend_of
from enrollment_server.errors import Conflict, DatabaseUnavailable

T = TypeVar("T")

ATTEMPTS = 5
LONGEST_PAUSE = 0.2  # seconds

logger = logging.getLogger(__name__)


class Transaction:
    """A transaction that is under way.

    Whoever writes in it notes its `number` (see `Backend.transaction_number`); with that
    it can be told whether a commit happened that the database could not confirm.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.number: str | None = None


class Database:
    """Connections, and the retrying of what is done with them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._status = backend_of(engine).transaction_status

    def reading(self) -> Connection:
        """A connection for reads: each statement is one round trip, without a transaction."""
        return self._autocommit.connect()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction, committed at the end, or rolled back by an error.

        When it ends without one, it is committed, also if the connection broke meanwhile.
        """
        with self._engine.connect() as connection:  # closing it rolls back what is left
            begun = connection.begin()
            transaction = Transaction(connection)
            yield transaction
            try:
                begun.commit()
            except SQLAlchemyError as error:
                lost = faults.is_lost_connection(error)
                if not lost or not self._was_committed(transaction, error):
                    raise
                logger.warning("a commit was confirmed by another connection")

    def run(self, work: Callable[[], T]) -> T:
        """Run a unit of work, as a whole again if others got in its way.

        It may look first, in `reading`, and write then, in one `transaction`: rows that it
        saw and that are gone when it refers to them are such a case. So is a connection
        that is lost, be it because the database restarted while it was idle.

        Raises Conflict when others stayed in its way to the last attempt, and
        DatabaseUnavailable when the database cannot be reached.
        """
        for failures in range(1, ATTEMPTS + 1):
            try:
                return work()
            except SQLAlchemyError as error:
                conflict = faults.is_conflict(error) or faults.is_foreign_key_violation(error)
                if failures < ATTEMPTS and (conflict or faults.is_lost_connection(error)):
                    # At once, it would meet the same transaction, or the same restart.
                    time.sleep(_pause(failures))
                elif conflict:
                    raise Conflict from error
                elif faults.is_unavailable(error):
                    raise _unavailable(error) from error
                else:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _was_committed(self, transaction: Transaction, error: SQLAlchemyError) -> bool:
        """What became of a transaction whose connection was lost in its commit."""
        if self._status is None or transaction.number is None:
            raise _unavailable(error) from error
        for failures in range(1, ATTEMPTS + 1):
            try:
                with self.reading() as connection:
                    status = connection.scalar(self._status, {"number": transaction.number})
            except SQLAlchemyError as another:
                raise _unavailable(another) from another
            if status in ("committed", "aborted"):
                return bool(status == "committed")
            # Its backend has yet to notice that nobody listens, and to end the transaction.
            time.sleep(_pause(failures))
        raise _unavailable(error) from error


def _pause(failures: int) -> float:
    """Seconds to wait: random, so that those who collided do not meet again."""
    # S311: it has to spread, not to be hard to guess.
    return random.uniform(0, min(LONGEST_PAUSE, 0.01 * 2**failures))  # noqa: S311


def _unavailable(error: SQLAlchemyError) -> DatabaseUnavailable:
    logger.warning("database unavailable: %s", faults.summary(error))
    return DatabaseUnavailable()
