"""What an exception from the database means.

Decided by SQLSTATE on PostgreSQL and by SQLite's extended result code, never by text.
"""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

# serialization_failure, deadlock_detected
_CONFLICTS = ("40001", "40P01", "SQLITE_BUSY", "SQLITE_LOCKED")
_FOREIGN_KEY = ("23503", "SQLITE_CONSTRAINT_FOREIGNKEY")
_UNAVAILABLE = (
    "08",  # connection exceptions
    "25006",  # read only: a primary that was demoted
    "53",  # insufficient resources, too_many_connections among them
    "57014",  # query_canceled: statement_timeout
    "57P",  # shut down, or starting up
    "58",  # the system under it
    "SQLITE_CANTOPEN",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
)


def _code(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)


def _is_one_of(error: BaseException, prefixes: tuple[str, ...]) -> bool:
    return isinstance(error, DBAPIError) and (_code(error) or "").startswith(prefixes)


def summary(error: BaseException) -> str:
    """What a person can use of it: not the statement, and not the row that it was about."""
    cause = getattr(error, "orig", None) or error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]


class UnexpectedError(Exception):
    """What the database said that it never should, for the log: without the row it was about."""

    def __init__(self, error: SQLAlchemyError) -> None:
        cause = getattr(error, "orig", None) or error
        said = f"{type(cause).__name__}: {summary(error)}"
        code = _code(error) if isinstance(error, DBAPIError) else None
        statement = getattr(error, "statement", None)
        super().__init__(f"{said} (code {code}) in: {statement}")


def is_conflict(error: BaseException) -> bool:
    """Another transaction was in the way; the same transaction, run again, may pass."""
    return _is_one_of(error, _CONFLICTS)


def is_lock_timeout(error: BaseException) -> bool:
    """What it needs is locked by another transaction, and has been for a while."""
    return _is_one_of(error, ("55P03",))


def is_cancelled(error: BaseException) -> bool:
    """The statement was cancelled while it ran."""
    return _is_one_of(error, ("57014",))


def is_foreign_key_violation(error: BaseException) -> bool:
    """A row that was to be referred to is not there."""
    return _is_one_of(error, _FOREIGN_KEY)


def is_lost_connection(error: BaseException) -> bool:
    """The connection broke in use."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_unavailable(error: BaseException) -> bool:
    """The database cannot be reached, or cannot work."""
    if is_lost_connection(error):
        return True
    if isinstance(error, OperationalError | InterfaceError) and _code(error) is None:
        return True  # the driver's own: it never got an answer
    return _is_one_of(error, _UNAVAILABLE)
