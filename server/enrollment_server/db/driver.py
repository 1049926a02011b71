"""Statements straight to the driver, for those that calls wait for.

`Connection.exec_driver_sql` makes a context and a result for each, and looks up all that is
known of its columns: for a small statement, that takes longer than the database does. What it
does about errors is done here, too, by a function that SQLAlchemy keeps to itself. It is used in
this module alone, and all tests run on the oldest and on the newest SQLAlchemy that is allowed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection


def execute(connection: Connection, statement: str, parameters: Any = ()) -> Sequence[Any]:
    """Execute it as the driver spells it; returns its rows, if it has any.

    Raises what `Connection.exec_driver_sql` does: an error of the driver is a DBAPIError, and a
    connection that was lost is invalidated. Listeners to what comes before and after a
    cursor's `execute`, and to errors, hear of it, without a context. It begins no transaction.
    """
    driver_connection = connection.connection
    cursor: Any = None
    try:
        cursor = driver_connection.cursor()
        for listener in connection.dispatch.before_cursor_execute:
            listener(connection, cursor, statement, parameters, None, False)
        connection.dialect.do_execute(cursor, statement, parameters)
        rows: Sequence[Any] = cursor.fetchall() if cursor.description else ()
        for listener in connection.dispatch.after_cursor_execute:
            listener(connection, cursor, statement, parameters, None, False)
    except connection.dialect.loaded_dbapi.Error as error:
        connection._handle_dbapi_exception(error, statement, parameters, cursor, None)
    cursor.close()
    return rows
