"""Migrations, on populated databases: nothing is lost on the way."""

import os
import subprocess
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from enrollment_server.db import backends, schema
from tests.support.databases import Databases, spelled_out
from tests.support.places import BIN, ROOT

# Legal, if odd: what systems of record have been seen to hold.
STUDENTS: list[tuple[str, str, str | None]] = [
    ("s1", "Ada", "ada@example.edu"),
    ("S1", "a different one", None),
    ("s-2", "", ""),
    ("with space", "  spaces  ", " "),
    ("ünï-çödé", "Zoë \N{COMBINING DIAERESIS}", "zoë@exämple.edu"),
    ("'; DROP TABLE students; --", 'O\'Brien \\ "quoted" %s %(id)s :id', "%"),
    ("x" * 128, "n" * 10_000, "e" * 300),
    ("emoji-\N{PERSON RAISING BOTH HANDS IN CELEBRATION}", "\N{RIGHT-TO-LEFT OVERRIDE}abc", None),
    ("tab\tnewline\n", "a\r\nb\tc", "\u0001"),
]
COURSES: list[tuple[str, str | None, str]] = [
    ("c1", "MAT 101", "Calculus"),
    ("C1", None, "calculus"),
    ("c-2", "", ""),
    ("0", "0", "0"),
]


@pytest.fixture
def engine(databases: Databases) -> Any:
    """A database with nothing in it."""
    return backends.create_engine(databases.empty())


def go(engine: Engine, revision: str) -> None:
    """Upgrade or downgrade to a revision."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    current = schema.revisions(engine).current or ""
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        if revision == "base" or revision < current:
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
        connection.invalidate()


def populate(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO students (id, name, email) VALUES (:id, :name, :email)"),
            [dict(zip(("id", "name", "email"), row, strict=True)) for row in STUDENTS],
        )
        connection.execute(
            text("INSERT INTO courses (id, code, title) VALUES (:id, :code, :title)"),
            [dict(zip(("id", "code", "title"), row, strict=True)) for row in COURSES],
        )


def rows(engine: Engine) -> tuple[set[Any], set[Any]]:
    with engine.connect() as connection:
        students = connection.execute(text("SELECT id, name, email FROM students"))
        courses = connection.execute(text("SELECT id, code, title FROM courses"))
        return {tuple(row) for row in students}, {tuple(row) for row in courses}


def test_keep_every_student_and_course_up_down_and_up_again(engine: Engine) -> None:
    go(engine, "0001")
    populate(engine)

    for revision in ("0002", "0001", "0002", "base", "0002"):
        go(engine, revision)

        assert schema.revisions(engine).current == (None if revision == "base" else revision)
        assert rows(engine) == (set(STUDENTS), set(COURSES))


def test_take_over_tables_that_were_there_before(engine: Engine) -> None:
    collation = 'COLLATE "C"' if engine.dialect.name == "postgresql" else ""
    with engine.begin() as connection:
        connection.execute(
            text(
                f"CREATE TABLE students (id varchar(128) {collation} NOT NULL PRIMARY KEY,"
                " name varchar NOT NULL, email varchar, born date)"
            )
        )
        connection.execute(
            text(
                f"CREATE TABLE courses (id varchar(128) {collation} NOT NULL PRIMARY KEY,"
                " code varchar, title varchar NOT NULL, credits integer DEFAULT 6 NOT NULL)"
            )
        )
        connection.execute(text("CREATE TABLE rooms (id integer PRIMARY KEY)"))
    populate(engine)

    schema.migrate(engine)

    assert rows(engine) == (set(STUDENTS), set(COURSES))
    assert schema.differences(engine) == []


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("ALTER TABLE student_courses DROP CONSTRAINT pk_student_courses", "primary key"),
        ("ALTER TABLE students ALTER COLUMN name TYPE varchar(12)", "students name"),
        ("ALTER TABLE students ADD COLUMN born date NOT NULL", "students.born is required"),
    ],
)
def test_a_database_that_could_not_serve_is_noticed(
    postgresql_databases: Databases, damage: str, named: str
) -> None:
    engine = backends.create_engine(postgresql_databases.fresh())
    with engine.begin() as connection:
        connection.execute(text(damage))

    assert named in "\n".join(schema.differences(engine))


def test_another_collation_is_noticed(postgresql_databases: Databases) -> None:
    engine = backends.create_engine(postgresql_databases.fresh())
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE courses ALTER COLUMN id TYPE varchar(128)"))

    assert "courses id" in "\n".join(schema.differences(engine))


def test_lead_to_what_the_models_say(engine: Engine) -> None:
    schema.migrate(engine)

    assert schema.differences(engine) == []


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DROP INDEX ix_student_courses_course_id_student_id", "add_index"),
        ("ALTER TABLE students DROP COLUMN email", "email"),
        ("DROP TABLE student_courses", "student_courses"),
    ],
)
def test_a_database_that_differs_from_the_models_is_noticed(
    engine: Engine, damage: str, named: str
) -> None:
    schema.migrate(engine)
    with engine.begin() as connection:
        connection.execute(text(damage))

    differences = schema.differences(engine)

    assert differences
    assert named in "\n".join(differences)


def test_can_be_run_again(engine: Engine) -> None:
    schema.migrate(engine)
    schema.migrate(engine)

    assert schema.revisions(engine).at_head


def test_run_by_several_at_once_happen_once(databases: Databases) -> None:
    url = databases.empty()
    run = [str(BIN / "enrollment-server"), "migrate", "--database-url", spelled_out(url)]

    migrations = [subprocess.Popen(run) for _ in range(3)]

    assert [migration.wait(timeout=60) for migration in migrations] == [0, 0, 0]
    engine = backends.create_engine(url)
    assert schema.revisions(engine).at_head


@pytest.mark.parametrize("start", [None, "0001", "0002"])
def test_as_sql_do_the_same(engine: Engine, start: str | None) -> None:
    if start:
        go(engine, start)
    state = schema.revisions(engine)
    script = schema.migration_sql(engine.dialect.name, state.current)

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in script.split(";"):
            connection.exec_driver_sql(statement)

    assert schema.revisions(engine).at_head
    assert schema.differences(engine) == []


def test_run_from_the_repository(engine: Engine) -> None:
    subprocess.run(
        [BIN / "alembic", "upgrade", "head"],
        cwd=ROOT,
        env={**os.environ, "ENROLLMENT_DATABASE_URL": spelled_out(engine.url)},
        check=True,
        capture_output=True,
    )

    assert schema.revisions(engine).at_head


def test_that_fail_leave_the_revision_before(engine: Engine) -> None:
    go(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE student_courses (unrelated integer)"))

    with pytest.raises(Exception, match="student_courses"):
        schema.migrate(engine)

    assert schema.revisions(engine).current == "0001"


class TestConstraints:
    """What the database itself refuses."""

    @pytest.fixture
    def engine(self, engine: Engine) -> Engine:
        schema.migrate(engine)
        populate(engine)
        with engine.begin() as connection:
            connection.execute(text(ASSOCIATE.format("s1", "c1")))
        return engine

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM students WHERE id = 's1'",
            "DELETE FROM courses WHERE id = 'c1'",
            "INSERT INTO student_courses VALUES ('s1', 'c1', '2026-01-01 00:00:00')",
            "INSERT INTO student_courses VALUES ('nobody', 'c1', '2026-01-01 00:00:00')",
            "INSERT INTO student_courses VALUES ('s1', 'nothing', '2026-01-01 00:00:00')",
        ],
    )
    def test_hold(self, engine: Engine, statement: str) -> None:
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(statement))

    def test_order_ids_bytewise(self, engine: Engine) -> None:
        with engine.connect() as connection:
            ids = list(connection.scalars(text("SELECT id FROM students ORDER BY id")))

        assert ids == sorted(ids, key=str.encode)


ASSOCIATE = "INSERT INTO student_courses VALUES ('{}', '{}', '2026-01-01 00:00:00')"
