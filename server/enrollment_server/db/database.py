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
from enrollment_server.errors import Conflict, DatabaseUnavailable

T = TypeVar("T")

ATTEMPTS = 5
LONGEST_PAUSE = 0.2  # seconds

logger = logging.getLogger(__name__)


class Database:
    """Connections, and the retrying of what is done with them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")

    def reading(self) -> Connection:
        """A connection for reads: each statement is one round trip, without a transaction."""
        return self._autocommit.connect()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection in a transaction, committed at the end, or rolled back by an error."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            if faults.is_lost_connection(error):
                # Maybe as the commit was done: to run it again could answer wrongly.
                raise _unavailable(error) from error
            raise

    def run(self, work: Callable[[], T]) -> T:
        """Run a unit of work, as a whole again if others got in its way.

        It may look first, in `reading`, and write then, in one `transaction`: rows that it
        saw and that are gone when it refers to them are such a case.

        Raises Conflict when others stayed in its way to the last attempt, and
        DatabaseUnavailable when the database cannot be reached.
        """
        for failures in range(1, ATTEMPTS + 1):
            try:
                return work()
            except SQLAlchemyError as error:
                conflict = faults.is_conflict(error) or faults.is_foreign_key_violation(error)
                # A pooled connection may have died while idle, when the database restarted.
                if failures < ATTEMPTS and (conflict or faults.is_lost_connection(error)):
                    time.sleep(_pause(failures))
                elif conflict:
                    raise Conflict from error
                elif faults.is_unavailable(error):
                    raise _unavailable(error) from error
                else:
                    raise
        raise AssertionError("the last attempt returns or raises")


def _pause(failures: int) -> float:
    """Seconds to wait: random, so that those who collided do not meet again."""
    return random.uniform(0, min(LONGEST_PAUSE, 0.01 * 2**failures))  # noqa: S311


def _unavailable(error: SQLAlchemyError) -> DatabaseUnavailable:
    logger.warning("database unavailable: %s", error)
    return DatabaseUnavailable()
