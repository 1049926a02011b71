"""${message}

Before you write a revision:
- One change. The code before it and the code after it must both run on what it leaves.
- It may not wait long for a lock, nor hold one long: env.py sets lock_timeout and
  statement_timeout. A table may be large: CREATE INDEX CONCURRENTLY, in
  `with op.get_context().autocommit_block():`, and constraints NOT VALID first.
- No sequences, triggers or deferrable constraints; every constraint has a name.
- It runs on SQLite and on PostgreSQL; tests/migrations/ tries it on populated databases.

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
