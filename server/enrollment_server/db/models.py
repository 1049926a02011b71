"""The mapped classes, and through them the schema. Migrations bring it about.

`students` and `courses` belong to the systems of record and were there first;
`student_courses` is this service's own.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, ForeignKey, Index, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# Byte order, the same on every database; on PostgreSQL the default collation is not.
Id = String(128).with_variant(String(128, collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, to the microsecond, also where the database has no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        found: datetime | None = value
        return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def utc(spelled: str) -> datetime:
    """The moment that a UtcDateTime is in JSON."""
    found = datetime.fromisoformat(spelled)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that a later revision can speak of it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Student(Base):
    """A student, as the system of record knows them."""

    __tablename__ = "students"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None]

    student_courses: Mapped[list["StudentCourses"]] = relationship(
        back_populates="student", order_by="StudentCourses.course_id", passive_deletes="all"
    )


class Course(Base):
    """A course, as the system of record knows it."""

    __tablename__ = "courses"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    code: Mapped[str | None]
    title: Mapped[str]

    student_courses: Mapped[list["StudentCourses"]] = relationship(
        back_populates="course", order_by="StudentCourses.student_id", passive_deletes="all"
    )


class StudentCourses(Base):
    """That a student takes a course, since `create_time`."""

    __tablename__ = "student_courses"
    # The primary key answers "which courses"; this answers "which students", and lets a
    # course be deleted without reading the whole table.
    __table_args__ = (Index(None, "course_id", "student_id"),)

    student_id: Mapped[str] = mapped_column(
        Id, ForeignKey("students.id", ondelete="RESTRICT"), primary_key=True
    )
    course_id: Mapped[str] = mapped_column(
        Id, ForeignKey("courses.id", ondelete="RESTRICT"), primary_key=True
    )
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)

    student: Mapped[Student] = relationship(back_populates="student_courses")
    course: Mapped[Course] = relationship(back_populates="student_courses")
