"""Units of work on a database: reads in autocommit, writes in a transaction, retried."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from enrollment_server.db import faults
from enrollment_server.db.backends import autocommitting, backend_of, send_begin
from enrollment_server.db.connections import Connections
from enrollment_server.db.watch import Watch
from enrollment_server.deadline import NEVER, Deadline
from enrollment_server.errors import Conflict, DatabaseUnavailable, DeadlineExceeded, Locked
from enrollment_server.metrics import Metrics

T = TypeVar("T")

ATTEMPTS = 20
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
    """Connections, at most so many, and the retrying of what is done with them."""

    def __init__(
        self, engine: Engine, *, connections: int = 1, metrics: Metrics | None = None
    ) -> None:
        backend = backend_of(engine)
        self.engine = engine
        self.metrics = metrics or Metrics()
        self.connections = Connections(autocommitting(engine), connections)
        self.transaction_status = backend.transaction_status
        self.watch = Watch(backend.cancel) if backend.cancel else None
        self.away = False

    def run(self, work: "Callable[[Unit], T]", deadline: Deadline, *, patient: bool = True) -> T:
        """Run a unit of work, as a whole again if others got in its way.

        It waits for rows that others have locked as long as the deadline lasts. Unless it is
        `patient`: then it gives up, with Locked, when that has lasted for LOCK_TIMEOUT.

        It may look first, in `Unit.reading`, and write then, in one `Unit.transaction`:
        rows that it saw and that are gone when it refers to them are such a case. So is a
        connection that is lost, be it because the database restarted while it was idle.

        Raises Conflict when others stayed in its way to the last attempt,
        DatabaseUnavailable when the database cannot be reached, and DeadlineExceeded when
        the time was too short: then nothing was written.
        """
        unit = Unit(self, deadline)
        lost: SQLAlchemyError | None = None
        failures = 0  # what is locked is none: the deadline is the only end to waiting for that
        while True:
            try:
                return work(unit)
            except DeadlineExceeded:
                if lost is None:
                    raise
                # The time was not too short: it went by while nobody answered.
                raise _unavailable(lost) from lost
            except SQLAlchemyError as error:
                lost = error if faults.is_lost_connection(error) else None
                if lost:
                    self.close()  # the others may be lost as well: it has restarted, perhaps
                locked = faults.is_lock_timeout(error)
                conflict = (
                    locked or faults.is_conflict(error) or faults.is_foreign_key_violation(error)
                )
                failures += not locked
                pause = _pause(failures)
                again = (
                    failures < ATTEMPTS
                    and pause < deadline.remaining()
                    and not self.away
                    and (patient or not locked)
                )
                if again and (conflict or lost):
                    if conflict:
                        self.metrics.conflicts_retried.inc()
                    # At once, it would meet the same transaction, or the same restart.
                    time.sleep(pause)
                elif locked:
                    raise (DeadlineExceeded if patient else Locked) from error
                elif conflict:
                    raise Conflict from error
                elif faults.is_cancelled(error) and deadline.over:
                    raise DeadlineExceeded from error
                elif faults.is_unavailable(error):
                    raise _unavailable(error) from error
                else:
                    raise faults.UnexpectedError(error) from None

    def prepare(self) -> None:
        """Make the first connection, before anybody waits for one.

        SQLAlchemy asks a few things on it, and no deadline can stop that. Raises
        DatabaseUnavailable.
        """

        def connect(unit: Unit) -> None:
            with unit.reading():
                pass

        self.run(connect, NEVER)

    def went_away(self) -> None:
        """Refuse all work from now on, what is under way too: nobody answers there.

        Else every call would wait for itself, and those that come after it for a thread.
        """
        self.away = True
        if self.watch:
            self.watch.cut_all()
        self.close()

    def came_back(self) -> None:
        """Take work again."""
        self.away = False

    def close(self) -> None:
        """Close the connections that are not in use; others are made when they are needed."""
        self.connections.close_idle()


class Unit:
    """One unit of work, with the time that it has."""

    def __init__(self, database: Database, deadline: Deadline) -> None:
        self._database = database
        self._deadline = deadline

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection for reads: each statement is one round trip, without a transaction."""
        return self._connection()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction, committed at the end, or rolled back by an error.

        When it ends without one, it is committed, also if the connection broke meanwhile.
        """
        with self._connection() as connection:
            begun = connection.begin()
            send_begin(connection)
            transaction = Transaction(connection)
            yield transaction
            if self._database.watch:
                self._database.watch.committing(connection)
            try:
                begun.commit()
            except SQLAlchemyError as error:
                if not faults.is_lost_connection(error):
                    raise
                lost = error
            else:
                return
        # That connection is done with, and those that are idle may be lost as well.
        self._database.close()
        if not self._was_committed(transaction, lost):
            raise lost
        logger.warning("a commit was confirmed by another connection")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        database = self._database
        if database.away:
            raise DatabaseUnavailable
        if self._deadline.over:
            raise DeadlineExceeded
        connection = database.connections.take(self._deadline, lambda: database.away)
        watch = database.watch
        try:
            with (
                database.metrics.database_seconds.time(),
                watch.watching(connection, self._deadline) if watch else nullcontext(),
            ):
                # All that is watched: a rollback can wait for the network, too.
                try:
                    yield connection
                    if connection.in_transaction():  # as SQLAlchemy sees it, which reads in one
                        connection.rollback()
                except BaseException:
                    _roll_back(connection)
                    raise
        finally:
            database.connections.give_back(connection)

    def _was_committed(self, transaction: Transaction, error: SQLAlchemyError) -> bool:
        """What became of a transaction whose connection was lost in its commit."""
        question = self._database.transaction_status
        if question is None:
            raise _unavailable(error) from error
        if transaction.number is None:  # it wrote nothing
            return False
        for failures in range(1, ATTEMPTS + 1):
            try:
                with self.reading() as connection:
                    status = connection.scalar(question, {"number": transaction.number})
            except (SQLAlchemyError, DeadlineExceeded) as another:
                raise _unavailable(another) from another
            if status in ("committed", "aborted"):
                return bool(status == "committed")
            # Its backend has yet to notice that nobody listens, and to end the transaction.
            time.sleep(_pause(failures))
        raise _unavailable(error) from error


def _roll_back(connection: Connection) -> None:
    """Whatever it is in the middle of: a commit that failed leaves SQLite in its transaction."""
    try:
        connection.rollback()
        if not connection.invalidated:
            connection.connection.rollback()
    except Exception:  # noqa: BLE001 - whatever it was, nothing is known of it any more
        connection.invalidate()


def _pause(failures: int) -> float:
    """Seconds to wait: random, so that those who collided do not meet again."""
    # S311: it has to spread, not to be hard to guess.
    return random.uniform(0, min(LONGEST_PAUSE, 0.01 * 2 ** min(failures, 10)))  # noqa: S311


def _unavailable(error: Exception) -> DatabaseUnavailable:
    logger.warning("database unavailable: %s", faults.summary(error))
    return DatabaseUnavailable()
