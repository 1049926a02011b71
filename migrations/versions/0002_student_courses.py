"""Associations of students with courses.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "student_courses",
        sa.Column("student_id", ID, nullable=False),
        sa.Column("course_id", ID, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("student_id", "course_id", name="pk_student_courses"),
        sa.ForeignKeyConstraint(
            ["student_id"],
            ["students.id"],
            name="fk_student_courses_student_id_students",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["course_id"],
            ["courses.id"],
            name="fk_student_courses_course_id_courses",
            ondelete="RESTRICT",
        ),
    )
    op.create_index(
        "ix_student_courses_course_id_student_id",
        "student_courses",
        ["course_id", "student_id"],
    )


def downgrade() -> None:
    op.drop_table("student_courses")
