"""What the reference is made of when the comments of the contract change."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import copy_source
from tests.support.programs import run_program

OF_LIST = "(INVALID_REQUEST, PAGE_TOKEN_INVALID)"


@pytest.fixture
def source(folder: Path) -> Path:
    return copy_source(folder / "source")


def generate(source: Path, old: str, new: str) -> "subprocess.CompletedProcess[str]":
    """From a contract that has something new in the place of something old."""
    contract = source / "protos" / "enrollment" / "v1" / "enrollment.proto"
    text = contract.read_text()
    assert text.count(old) == 1
    contract.write_text(text.replace(old, new))
    return run_program(sys.executable, "-m", "scripts.reference", "generate", cwd=source)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (OF_LIST, "(INVALID_REQUEST)", "PAGE_TOKEN_INVALID has to be under "),
        (OF_LIST, f"{OF_LIST}; ABORTED (CONFLICT)", "CONFLICT has to be under "),
        (
            OF_LIST,
            "(INVALID_REQUEST, PAGE_TOKEN_BAD)",
            "ListStudentCourses: ErrorReason has no PAGE_TOKEN_BAD that is INVALID_ARGUMENT.",
        ),
        (
            OF_LIST,
            "(INVALID_REQUEST); NOT_FOUND (PAGE_TOKEN_INVALID)",
            "ListStudentCourses: ErrorReason has no PAGE_TOKEN_INVALID that is NOT_FOUND.",
        ),
    ],
    ids=["nowhere", "here and everywhere", "unknown", "another status"],
)
def test_a_reason_that_comments_contradict_each_other_in_is_named(
    source: Path, old: str, new: str, complaint: str
) -> None:
    result = generate(source, old, new)

    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith(complaint)


def test_a_reason_is_spoken_of_beside_the_errors_without_effect(source: Path) -> None:
    before = (source / "docs" / "reference.md").read_text()

    result = generate(source, "bytewise by course id, in pages.", "after a CONFLICT, too.")

    assert result.returncode == 0
    after = (source / "docs" / "reference.md").read_text()
    assert after == before.replace("bytewise by course id, in pages.", "after a CONFLICT, too.")
