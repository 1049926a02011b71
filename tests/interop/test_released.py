"""What was released, against the server of today: clients, each from its wheel, and tokens."""

import json
import sys
import uuid
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import URL

from enrollment import EnrollmentClient
from tests.interop.conftest import insert_students
from tests.interop.session import options
from tests.support.programs import run_program

SESSION = Path(__file__).with_name("session.py")
TOKEN = "AfIbe2ukIMHAYWxnZWJyYQ"  # of the pages of "grace", after "algebra"
WHEELS = sorted((Path(__file__).parent / "released").glob("*.whl"))


@pytest.fixture(scope="module", params=WHEELS, ids=lambda wheel: wheel.name.split("-")[1])
def wheel(request: pytest.FixtureRequest) -> Path:
    return cast(Path, request.param)


@pytest.fixture(scope="module")
def got(address: str, database: URL, wheel: Path) -> dict[str, Any]:
    """What the program got that was written for the oldest of them.

    The modules come out of the wheel, which is a zip file; what they need, from this
    environment.
    """
    student = uuid.uuid4().hex
    insert_students(database, student)
    path = {"PYTHONPATH": str(wheel)}
    result = run_program(sys.executable, "-P", SESSION, address, student, environment=path)
    assert result.returncode == 0, result.stderr
    return {"student": student, **json.loads(result.stdout)}


def test_it_is_the_released_one(got: dict[str, Any], wheel: Path) -> None:
    assert got["modules"] == [
        f"{wheel}/enrollment/__init__.py",
        f"{wheel}/enrollment/v1/enrollment_pb2.py",
    ]


def test_it_associates_lists_and_removes(got: dict[str, Any]) -> None:
    assert got["associated"] == [["algebra", "CREATED"], ["chess", "ALREADY_ASSOCIATED"]]
    assert got["the time stays"]
    assert got["listed"] == [["algebra", "MAT 210", "Linear Algebra"], ["chess", "", "Chess"]]
    assert got["pages"] == [1, 1]
    assert (got["removed"], got["missing"]) == (True, False)


def test_it_tells_refusals_apart(got: dict[str, Any]) -> None:
    assert got["refused"] == [
        ["CourseNotFound", ["x", "y"]],
        ["InvalidArgument", ["student_id", "course_ids[0]"]],
        ["StudentNotFound", "eve"],
        ["PageTokenInvalid", ["page_token"]],
        ["CourseNotAssociated", got["student"], "chess"],
    ]


def test_its_http_paths_and_required_fields_are_still_those(got: dict[str, Any]) -> None:
    """Nothing else compares options of the contract with those released."""
    assert got["options"].items() <= options().items()


def test_a_page_token_of_version_0_1_0_is_taken(address: str, database: URL) -> None:
    insert_students(database, "grace")
    with EnrollmentClient(address) as client:
        client.associate_courses("grace", ["algebra", "chess"])

        [taken] = client.list_student_courses("grace", page_token=TOKEN)

    assert taken.course.id == "chess"
