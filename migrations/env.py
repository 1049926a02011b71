"""What Alembic runs, from the repository (`alembic upgrade head`) and from the server.

The server hands over a connection; on its own, Alembic uses ENROLLMENT_DATABASE_URL.
"""

import os

from alembic import context
from sqlalchemy import Connection, text

from enrollment_server.db.backends import create_engine, parse_url
from enrollment_server.db.models import Base
from enrollment_server.settings import DEFAULT_DATABASE_URL

# A migration that waits for its lock makes every later call queue behind it.
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"
# Held while migrating: two at once would both set out from the same revision.
ADVISORY_LOCK = 7_310_027


def migrate(connection: Connection) -> None:
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        # SQLite has no advisory lock: there, one transaction around everything is the lock.
        transaction_per_migration=postgresql,
    )
    with context.begin_transaction():
        context.run_migrations()


def write_sql(dialect: str) -> None:
    context.configure(
        dialect_name=dialect,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        transaction_per_migration=True,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes
url = parse_url(os.environ.get("ENROLLMENT_DATABASE_URL", DEFAULT_DATABASE_URL))
if context.is_offline_mode():
    write_sql(given.get("dialect", url.get_backend_name()))
elif "connection" in given:
    migrate(given["connection"])
else:
    with create_engine(url).connect() as connection_of_its_own:
        migrate(connection_of_its_own)
