"""`enrollment-server load`, on every database."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import URL, Engine, text

from enrollment_server.cli import main
from enrollment_server.db.bulk import Bulk
from enrollment_server.loading import loader
from tests.support.databases import spelled_out

STUDENTS = "id,name,email\ns1,Ada,ada@example.edu\ns2,Bob,\ns3,Eve,eve@example.edu\n"
COURSES = "id,code,title\nc1,MAT 101,Calculus\nc2,,Chess\n"
ENROLLMENTS = "student_id,course_id\ns1,c1\ns1,c2\ns2,c1\n"


class Loading:
    """Loads what it is given as the contents of files."""

    def __init__(self, url: URL, folder: Path) -> None:
        self._url = spelled_out(url)
        self._folder = folder

    def __call__(self, *flags: str, **contents: str) -> Result:
        arguments = ["load", "--database-url", self._url, *flags]
        for name, content in contents.items():
            path = self._folder / f"{name}.csv"
            path.write_text(content)
            arguments += [f"--{name}", str(path)]
        return CliRunner().invoke(main, arguments)


@pytest.fixture
def load(url: URL, folder: Path) -> Loading:
    return Loading(url, folder)


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    queries = {
        "students": "SELECT id, name, email FROM students ORDER BY id",
        "courses": "SELECT id, code, title FROM courses ORDER BY id",
        "enrollments": "SELECT student_id, course_id FROM student_courses ORDER BY 1, 2",
    }
    with engine.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(text(query))]
            for name, query in queries.items()
        }


LOADED: dict[str, list[tuple[object, ...]]] = {
    "students": [
        ("s1", "Ada", "ada@example.edu"),
        ("s2", "Bob", None),
        ("s3", "Eve", "eve@example.edu"),
    ],
    "courses": [("c1", "MAT 101", "Calculus"), ("c2", None, "Chess")],
    "enrollments": [("s1", "c1"), ("s1", "c2"), ("s2", "c1")],
}


def test_brings_everything_in(load: Loading, engine: Engine) -> None:
    result = load(students=STUDENTS, courses=COURSES, enrollments=ENROLLMENTS)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "students: 3 read, 3 inserted, 0 updated, 0 unchanged, 0 rejected",
        "courses: 2 read, 2 inserted, 0 updated, 0 unchanged, 0 rejected",
        "enrollments: 3 read, 3 inserted, 0 updated, 0 unchanged, 0 rejected",
    ]
    assert contents(engine) == LOADED


def test_a_second_time_changes_nothing(load: Loading, engine: Engine) -> None:
    load(students=STUDENTS, courses=COURSES, enrollments=ENROLLMENTS)
    result = load(students=STUDENTS, courses=COURSES, enrollments=ENROLLMENTS)

    assert result.stdout.splitlines() == [
        "students: 3 read, 0 inserted, 0 updated, 3 unchanged, 0 rejected",
        "courses: 2 read, 0 inserted, 0 updated, 2 unchanged, 0 rejected",
        "enrollments: 3 read, 0 inserted, 0 updated, 3 unchanged, 0 rejected",
    ]
    assert contents(engine) == LOADED


def test_updates_what_differs_and_deletes_nothing(load: Loading, engine: Engine) -> None:
    load(students=STUDENTS, courses=COURSES, enrollments=ENROLLMENTS)
    result = load(
        students="id,name,email\ns1,Ada,\ns2,Bob,bob@example.edu\ns4,Dan,\n",
        courses="id,code,title\nc1,MAT 102,Calculus\n",
    )

    assert result.stdout.splitlines() == [
        "students: 3 read, 1 inserted, 2 updated, 0 unchanged, 0 rejected",
        "courses: 1 read, 0 inserted, 1 updated, 0 unchanged, 0 rejected",
    ]
    assert contents(engine) == {
        "students": [
            ("s1", "Ada", None),
            ("s2", "Bob", "bob@example.edu"),
            ("s3", "Eve", "eve@example.edu"),
            ("s4", "Dan", None),
        ],
        "courses": [("c1", "MAT 102", "Calculus"), ("c2", None, "Chess")],
        "enrollments": LOADED["enrollments"],
    }


def test_rejects_bad_lines_and_loads_the_others(
    load: Loading, engine: Engine, folder: Path
) -> None:
    result = load(
        students=STUDENTS + "s 4,Dan,\ns1,Ada again,\ns5,,\n",
        courses=COURSES,
        enrollments=ENROLLMENTS + "s9,c1\ns1\ns1,c9\ns9,c9\ns3,c1\n",
    )

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{folder}/students.csv:5: id is not an id"
        " (an id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ : -)",
        f"{folder}/students.csv:6: id s1 is on line 2 already",
        f"{folder}/students.csv:7: name is empty",
        f"{folder}/enrollments.csv:5: there is no student s9",
        f"{folder}/enrollments.csv:6: has 1 cells, not 2",
        f"{folder}/enrollments.csv:7: there is no course c9",
        f"{folder}/enrollments.csv:8: there is no student s9 and there is no course c9",
    ]
    assert result.stdout.splitlines() == [
        "students: 6 read, 3 inserted, 0 updated, 0 unchanged, 3 rejected",
        "courses: 2 read, 2 inserted, 0 updated, 0 unchanged, 0 rejected",
        "enrollments: 8 read, 4 inserted, 0 updated, 0 unchanged, 4 rejected",
    ]
    assert contents(engine) == {**LOADED, "enrollments": [*LOADED["enrollments"], ("s3", "c1")]}


@pytest.mark.parametrize(
    "damage",
    [
        {"students": STUDENTS + "s 4,Dan,\n"},
        {"courses": COURSES + "c1,,Again\n"},
        {"enrollments": ENROLLMENTS + "s1,c9\n"},
        {"enrollments": ENROLLMENTS + "s9,c1\n"},
    ],
)
def test_strict_loads_all_or_nothing(load: Loading, engine: Engine, damage: dict[str, str]) -> None:
    files = {"students": STUDENTS, "courses": COURSES, "enrollments": ENROLLMENTS, **damage}

    result = load("--strict", **files)

    assert result.exit_code == 1
    assert result.stderr.endswith("Nothing was loaded: --strict.\n")
    assert contents(engine) == {"students": [], "courses": [], "enrollments": []}


def test_strict_knows_what_comes_in_the_same_load(load: Loading, engine: Engine) -> None:
    load(students=STUDENTS)
    result = load("--strict", courses=COURSES, enrollments=ENROLLMENTS)

    assert result.exit_code == 0, result.output
    assert contents(engine) == LOADED


def test_a_bad_header_is_said_before_anything_is_loaded(load: Loading, engine: Engine) -> None:
    result = load(students=STUDENTS, courses="id,title\nc1,Chess\n")

    assert result.exit_code == 1
    assert "courses.csv: the first line must be the header id,code,title" in result.stderr
    assert contents(engine)["students"] == []


def test_rejected_ids_are_printed_as_they_are(load: Loading) -> None:
    result = load(enrollments="student_id,course_id\nurn:cat:1,[b]\nurn:cat:1,urn:star:2\n")

    assert "course_id is not an id" in result.stderr
    assert "there is no student urn:cat:1 and there is no course urn:star:2" in result.stderr


def test_loads_at_once_count_what_each_of_them_did(url: URL, engine: Engine) -> None:
    rows = [(f"s{number}", "Ada", None) for number in range(3000)]

    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(lambda _: Bulk(engine).upsert_students(rows), range(3)))

    assert sum(one.inserted for one in done) == len(rows)
    assert [one.updated for one in done] == [0, 0, 0]


def test_without_files_is_a_usage_error(load: Loading) -> None:
    result = load()

    assert result.exit_code == 2
    assert "name at least one file" in result.stderr


def test_chunks_make_no_difference(
    load: Loading, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "CHUNK", 2)
    students = [f"s{number}" for number in range(21)]
    random.Random(1).shuffle(students)

    result = load(
        students="id,name,email\n" + "".join(f"{s},{s},\n" for s in students) + "s 1,,\n",
        courses=COURSES,
        enrollments="student_id,course_id\n" + "".join(f"{s},c1\n" for s in students),
    )

    assert result.stdout.splitlines() == [
        "students: 22 read, 21 inserted, 0 updated, 0 unchanged, 1 rejected",
        "courses: 2 read, 2 inserted, 0 updated, 0 unchanged, 0 rejected",
        "enrollments: 21 read, 21 inserted, 0 updated, 0 unchanged, 0 rejected",
    ]
    assert len(contents(engine)["enrollments"]) == 21
