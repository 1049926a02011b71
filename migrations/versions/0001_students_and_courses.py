"""Students and courses, as they are in the field before this service.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")


def upgrade() -> None:
    # Where the tables are there already, they are taken as they are.
    op.create_table(
        "students",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_students"),
        if_not_exists=True,
    )
    op.create_table(
        "courses",
        sa.Column("id", ID, nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_courses"),
        if_not_exists=True,
    )


def downgrade() -> None:
    # The rows are not this service's to drop: they belong to the systems of record.
    pass
