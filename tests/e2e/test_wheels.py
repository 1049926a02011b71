"""What the wheels hold, and that an installed one is whole."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import run
from tests.support.places import ROOT


def contents(wheels: Path, name: str) -> set[str]:
    [wheel] = wheels.glob(f"{name}-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_server_brings_its_package_and_nothing_else(wheels: Path) -> None:
    files = contents(wheels, "enrollment_server")

    assert {name.split("/")[0] for name in files} == {
        "enrollment_server",
        "enrollment_server-0.1.0.dist-info",
    }
    source = {
        f"enrollment_server/{path.relative_to(ROOT / 'server/enrollment_server')}"
        for path in (ROOT / "server/enrollment_server").rglob("*.py")
    } | {
        f"enrollment_server/migrations/{path.relative_to(ROOT / 'migrations')}"
        for path in (ROOT / "migrations").rglob("*.py")
    }
    assert {name for name in files if name.endswith(".py")} == source
    assert "enrollment_server/migrations/script.py.mako" in files


def test_the_client_brings_its_package_and_nothing_else(wheels: Path) -> None:
    files = contents(wheels, "enrollment_client")

    assert {name.split("/")[0] for name in files} == {
        "enrollment",
        "enrollment_client-0.1.0.dist-info",
    }
    assert {
        "enrollment/py.typed",
        "enrollment/v1/enrollment_pb2.pyi",
        "enrollment/v1/enrollment_pb2_grpc.pyi",
    } <= files


def test_the_client_needs_only_grpc_protobuf_and_googleapis(wheels: Path) -> None:
    [wheel] = wheels.glob("enrollment_client-*.whl")
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read("enrollment_client-0.1.0.dist-info/METADATA").decode()

    needs = {line.split()[1] for line in metadata.splitlines() if line.startswith("Requires-Dist")}
    assert {need.split(">")[0].split("<")[0] for need in needs} == {
        "grpcio",
        "protobuf",
        "googleapis-common-protos",
    }


def test_the_client_imports_nothing_of_the_servers(installed: Path) -> None:
    code = "import enrollment, sys; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = run(installed / "python", "-c", code).split()

    assert "grpc" in loaded
    assert not {"sqlalchemy", "alembic", "click", "enrollment_server", "grpc_status"} & set(loaded)


def test_what_is_tested_here_is_the_wheels(installed: Path) -> None:
    code = "import enrollment, enrollment_server as s; print(enrollment.__file__, s.__file__)"
    places = run(installed / "python", "-c", code).split()

    assert all(Path(place).is_relative_to(installed.parent) for place in places)


STRICT = """
from datetime import datetime

import grpc
from enrollment import CourseNotFound, EnrollmentClient, InvalidArgument, Outcome, RetryPolicy
from enrollment.v1 import enrollment_pb2 as pb
from enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub


def enrol(target: str, student: str, courses: list[str]) -> dict[str, datetime]:
    with EnrollmentClient(target, timeout=3, retry=RetryPolicy(max_attempts=2)) as client:
        try:
            made = client.associate_courses(student, courses, timeout=1, metadata=[("k", "v")])
        except CourseNotFound as error:
            made = client.associate_courses(student, sorted(set(courses) - set(error.course_ids)))
        except InvalidArgument as error:
            raise SystemExit(", ".join(violation.field for violation in error.violations))
        removed: bool = client.remove_course(student, "x", allow_missing=True)
        assert removed or made[0].outcome is Outcome.CREATED
        for page in client.list_student_courses(student, page_size=5).pages:
            print(page.next_page_token)
        all_courses = client.list_student_courses(student)
        return {taken.course.id: taken.create_time for taken in all_courses}


def raw(channel: grpc.Channel) -> str:
    response = EnrollmentServiceStub(channel).ListStudentCourses(
        pb.ListStudentCoursesRequest(student_id="ada")
    )
    return response.next_page_token
"""


def type_check(installed: Path, folder: Path, code: str) -> "subprocess.CompletedProcess[str]":
    (folder / "user.py").write_text(code)
    python = ["--python-executable", str(installed / "python")]
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *python, "--cache-dir", "cache", "user.py"],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_strictly_typed_code_may_use_the_client(installed: Path, folder: Path) -> None:
    result = type_check(installed, folder, STRICT)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"x", allow_missing=True', '"x", allow_missing="yes"'),
        ("page_size=5", 'page_size="5"'),
        ("taken.course.id:", "taken.course.ident:"),
        ("error.course_ids", "error.violations"),
    ],
)
def test_mistakes_in_its_use_are_found(
    installed: Path, folder: Path, right: str, wrong: str
) -> None:
    assert right in STRICT

    assert type_check(installed, folder, STRICT.replace(right, wrong)).returncode == 1
