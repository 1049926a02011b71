"""The lines that calls leave in the log."""

import io
import json
import logging as standard
import select
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from enrollment_server.calls import Call
from enrollment_server.ops import logging

CALL = Call(
    method="RemoveCourse",
    request_id="r-1",
    caller="registrar",
    student_id="ada",
    code="NOT_FOUND",
    reason="COURSE_NOT_ASSOCIATED",
    seconds=0.0123,
)


@pytest.fixture(autouse=True)
def configured_as_before() -> Iterator[None]:
    handlers, level = standard.root.handlers[:], standard.root.level
    yield
    standard.root.handlers, standard.root.level = handlers, level


def test_a_call_is_a_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    logging.CallLog("json").write([CALL])

    line = json.loads(capsys.readouterr().err)
    assert datetime.fromisoformat(line.pop("time")).tzinfo is UTC
    assert line == {
        "level": "INFO",
        "logger": "enrollment_server.calls",
        "message": "RemoveCourse NOT_FOUND",
        "method": "RemoveCourse",
        "code": "NOT_FOUND",
        "reason": "COURSE_NOT_ASSOCIATED",
        "seconds": 0.0123,
        "caller": "registrar",
        "student_id": "ada",
        "request_id": "r-1",
        "trace_id": "",
        "request_size": 0,
        "response_size": 0,
    }


def test_a_call_is_a_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    logging.CallLog("text").write([CALL])

    _, _, line = capsys.readouterr().err.split(" ", 2)
    assert line == (
        "INFO RemoveCourse NOT_FOUND 12.3 ms reason=COURSE_NOT_ASSOCIATED caller=registrar"
        " student_id=ada request_id=r-1\n"
    )


def test_lines_are_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several processes that write to one pipe, none breaks into another's line."""
    written: list[str] = []
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys.stderr, "write", written.append)

    logging.CallLog("json").write([CALL] * 100)

    assert sum(piece.count("\n") for piece in written) == 100
    assert 1 < len(written) < 50
    assert all(len(piece) <= select.PIPE_BUF and piece.endswith("\n") for piece in written)


def test_a_student_s_id_can_be_hashed(capsys: pytest.CaptureFixture[str]) -> None:
    logging.CallLog("json", hash_ids=True).write([CALL])

    line = capsys.readouterr().err
    assert "ada" not in line
    assert json.loads(line)["student_id"] == logging.hashed("ada")
