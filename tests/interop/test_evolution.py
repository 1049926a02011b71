"""The contract as it changes: what `make check` lets through, and what a server makes of it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc
import pytest

from enrollment.v1 import enrollment_pb2 as pb
from tests.support.api import SERVICE
from tests.support.places import copy_source
from tests.support.programs import run_program

NEW_FIELD = b"\xa2\x06\x03new"  # number 100, a text

needs_generator = pytest.mark.skipif(
    find_spec("grpc_tools") is None, reason="grpcio-tools is not there: it is for `make check`"
)


def changed(folder: Path, old: str, new: str) -> "subprocess.CompletedProcess[str]":
    """The check of a source whose contract has something new in the place of something old."""
    source = copy_source(folder / "source")
    contract = source / "protos" / "enrollment" / "v1" / "enrollment.proto"
    text = contract.read_text()
    assert text.count(old) == 1
    contract.write_text(text.replace(old, new))
    program = [sys.executable, source / "scripts" / "contract.py"]
    assert run_program(*program, "generate").returncode == 0
    return run_program(*program, "check")


@needs_generator
@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "bool removed = 1;",
            "bool removed = 2;",
            'Previously present field "1" with name "removed" on message "RemoveCourseResponse"',
        ),
        (
            "string title = 3;",
            "string name = 3;",
            'Field "3" with name "name" on message "Course" changed option "json_name"',
        ),
        (
            "  // Its title.\n  string title = 3;\n",
            "  reserved 3;\n",
            'Previously present field "3" with name "title" on message "Course" was deleted',
        ),
        (
            "  ERROR_REASON_CONFLICT = 7;",
            "  ERROR_REASON_CLASH = 7;",
            'Enum value "7" on enum "ErrorReason" changed name from "ERROR_REASON_CONFLICT"',
        ),
    ],
    ids=["another number", "another name", "a field less", "another reason"],
)
def test_a_change_that_breaks_callers_is_refused(
    folder: Path, old: str, new: str, complaint: str
) -> None:
    result = changed(folder, old, new)

    assert result.returncode == 1
    assert complaint in result.stdout


@needs_generator
def test_an_addition_is_let_through(folder: Path) -> None:
    field = "string title = 3;"

    result = changed(folder, field, f"{field}\n  // Credits that it gives.\n  int32 credits = 4;")

    assert result.returncode == 0


def test_a_field_that_the_server_does_not_know_is_ignored(address: str, student: str) -> None:
    request = pb.RemoveCourseRequest(student_id=student, course_id="chess", allow_missing=True)
    with grpc.insecure_channel(address) as channel:
        remove: Any = channel.unary_unary(f"/{SERVICE.full_name}/RemoveCourse")

        response = remove(request.SerializeToString() + NEW_FIELD, timeout=10)

    assert response == pb.RemoveCourseResponse(removed=False).SerializeToString()
