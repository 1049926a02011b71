"""A connection is waited for no longer than the call that needs it has.

A server that does not answer can keep whoever connects to it waiting for seconds, and
libpq knows no way to stop it, nor a timeout of less than two. So it is another thread that
connects, and the one that has a deadline leaves it to itself when that is over.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

from enrollment_server.deadline import NEVER, TICK, Deadline

# SQLAlchemy connects somewhere inside of `Engine.connect`, to which nothing can be passed.
_deadline: ContextVar[Deadline] = ContextVar("deadline", default=NEVER)


@contextmanager
def connecting_until(deadline: Deadline) -> Iterator[None]:
    """Connections that are made meanwhile, in this thread, are waited for until then."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def connect_within_deadlines(engine: Engine) -> None:
    """Let this engine heed `connecting_until`."""
    event.listen(engine, "do_connect", _connect)


def _connect(dialect: Dialect, _record: object, args: Any, parameters: Any) -> DBAPIConnection:
    """Connect. Raises the driver's OperationalError when the deadline is over first."""
    deadline = _deadline.get()
    attempt: Future[DBAPIConnection] = Future()
    threading.Thread(
        target=_attempt, args=(attempt, dialect, args, parameters), name="connect", daemon=True
    ).start()
    while True:
        try:
            return attempt.result(min(deadline.remaining(), TICK))
        except TimeoutError:
            if attempt.done():
                if attempt.exception() is not None:  # the driver's own TimeoutError, perhaps
                    raise
                continue
            if deadline.over and attempt.cancel():
                raise dialect.loaded_dbapi.OperationalError("no connection in time") from None


def _attempt(
    attempt: "Future[DBAPIConnection]", dialect: Dialect, args: Any, parameters: Any
) -> None:
    try:
        connection = dialect.connect(*args, **parameters)
    except Exception as error:  # noqa: BLE001 - whoever waits for it is to have it
        if attempt.set_running_or_notify_cancel():
            attempt.set_exception(error)
    else:
        if attempt.set_running_or_notify_cancel():
            attempt.set_result(connection)
        else:
            connection.close()
