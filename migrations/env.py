"""What Alembic runs, from the repository (`alembic upgrade head`) and from the server.

The server hands over a connection; on its own, Alembic uses ENROLLMENT_DATABASE_URL.
"""

import os
import time
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import URL, Connection, text

from enrollment_server.db.backends import create_engine, parse_url
from enrollment_server.db.models import Base
from enrollment_server.settings import DEFAULT_DATABASE_URL

# A migration that waits for its lock makes every later call queue behind it.
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"
# Held while migrating: two at once would both set out from the same revision.
ADVISORY_LOCK = 7_310_027
LONGEST_WAIT = 60  # seconds for another migration to end


def migrate(connection: Connection) -> None:
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:
        take_advisory_lock(connection)
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.commit()
    else:
        # Of the driver: a statement of SQLAlchemy's would begin the transaction that is to wait.
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA busy_timeout = {LONGEST_WAIT * 1000}")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        # SQLite has no advisory lock: there, one transaction around everything is the lock.
        transaction_per_migration=postgresql,
    )
    with context.begin_transaction():
        context.run_migrations()


def take_advisory_lock(connection: Connection) -> None:
    # By trying again, not by waiting in the database: a statement that waits holds a
    # snapshot, for the end of which CREATE INDEX CONCURRENTLY would wait in turn.
    give_up = time.monotonic() + LONGEST_WAIT
    statement = text("SELECT pg_try_advisory_lock(:key)")
    while not connection.scalar(statement, {"key": ADVISORY_LOCK}):
        connection.rollback()
        if time.monotonic() > give_up:
            raise CommandError(f"another migration has been running for {LONGEST_WAIT} seconds")
        time.sleep(0.2)  # little beside a migration, and five small queries a second


def write_sql(dialect: str) -> None:
    context.configure(
        dialect_name=dialect,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        transaction_per_migration=True,
        literal_binds=True,
    )
    with context.begin_transaction():
        if dialect == "postgresql":
            context.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
            context.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        context.run_migrations()


def url_of_the_environment() -> URL:
    return parse_url(os.environ.get("ENROLLMENT_DATABASE_URL") or DEFAULT_DATABASE_URL)


given = context.config.attributes
if context.is_offline_mode():
    write_sql(given.get("dialect") or url_of_the_environment().get_backend_name())
elif "connection" in given:
    migrate(given["connection"])
else:
    with create_engine(url_of_the_environment()).connect() as connection_of_its_own:
        migrate(connection_of_its_own)
