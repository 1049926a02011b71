"""CSV files: every line accepted or rejected, and a damaged one spoils no other."""

import os
from pathlib import Path

import pytest

from enrollment_server.loading.source import (
    COURSES,
    ENROLLMENTS,
    STUDENTS,
    BadFileError,
    CsvSource,
    Layout,
    Rejection,
    Row,
)


def source(folder: Path, content: bytes | str, layout: Layout = STUDENTS) -> CsvSource:
    path = folder / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return CsvSource(layout, path)


def lines(folder: Path, content: bytes | str, layout: Layout = STUDENTS) -> list[Row | Rejection]:
    return list(source(folder, content, layout))


def test_rows_have_their_line_and_cells(folder: Path) -> None:
    assert lines(folder, "id,name,email\ns1,Ada,ada@example.edu\n\ns2,Bob,\n") == [
        Row(2, ("s1", "Ada", "ada@example.edu")),
        Row(4, ("s2", "Bob", None)),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "email,id,name\nada@example.edu,s1,Ada\n",
        "\N{BYTE ORDER MARK}id,name,email\ns1,Ada,ada@example.edu",
        'id,name,email\r\n"s1","Ada","ada@example.edu"\r\n',
        "id,name,email\n\n  \ns1,Ada,ada@example.edu",
    ],
    ids=["columns in another order", "byte order mark", "quotes and CRLF", "blank lines"],
)
def test_what_spreadsheets_write_is_read(folder: Path, content: str) -> None:
    [row] = lines(folder, content)

    assert isinstance(row, Row)
    assert row.cells == ("s1", "Ada", "ada@example.edu")


def test_cells_are_taken_as_they_are(folder: Path) -> None:
    assert lines(folder, 'id,name,email\ns1," Zoë, ""the"" ' + "O'Brien\t%s\",x\n") == [
        Row(2, ("s1", ' Zoë, "the" O\'Brien\t%s', "x"))
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"s1,Ada", "has 2 cells, not 3"),
        (b"s1,Ada,a,b", "has 4 cells, not 3"),
        (b",Ada,a", "id is empty"),
        (b"s 1,Ada,a", "id is not an id (an id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ : -)"),
        (b"x" * 129 + b",Ada,a", "id is not an id"),
        (b"s1,,a", "name is empty"),
        (b"s1,  ,a", "name is empty"),
        (b"s1,Ad\xff,a", "is not UTF-8"),
        (b"s1,A\0a,a", "has a NUL character, which no database can hold"),
        (b's1,"Ada,a', "is not CSV: a quote is left open"),
        (b's1,Ada,a"', "is not CSV: a quote is left open"),
        (b's1,"Ada"x,a', "is not CSV: "),
        (b"s1,A\rda,a", "is not CSV: "),
        (b"s1," + b"x" * 200_000 + b",a", "is not CSV: field larger than field limit"),
        (b"s0,Ada,a", "id s0 is on line 2 already"),
    ],
)
def test_a_bad_line_is_rejected_and_no_other(folder: Path, line: bytes, reason: str) -> None:
    first, rejection, last = lines(folder, b"id,name,email\ns0,Bob,\n" + line + b"\ns9,Eve,\n")

    assert isinstance(rejection, Rejection)
    assert rejection.line == 3
    assert rejection.reason.startswith(reason)
    assert [first, last] == [Row(2, ("s0", "Bob", None)), Row(4, ("s9", "Eve", None))]


def test_a_course_may_lack_a_code_but_not_a_title(folder: Path) -> None:
    accepted, rejected = lines(folder, "id,code,title\nc1,,Chess\nc2,CHS 1,\n", COURSES)

    assert accepted == Row(2, ("c1", None, "Chess"))
    assert rejected == Rejection(3, "title is empty")


def test_an_enrolment_may_be_said_twice(folder: Path) -> None:
    assert lines(folder, "student_id,course_id\ns1,c1\ns1,c1\n", ENROLLMENTS) == [
        Row(2, ("s1", "c1")),
        Row(3, ("s1", "c1")),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "student_id,course_id\ns1,c1",
        "student_id,course_id\r\ns1,c1\r\n",
        'student_id,course_id\n"s1",c1\n',
        "course_id,student_id\nc1,s1\n",
        'course_id,student_id\n"c1","s1"\n',
    ],
)
def test_an_enrolment_may_be_spelled_in_many_ways(folder: Path, content: str) -> None:
    assert lines(folder, content, ENROLLMENTS) == [Row(2, ("s1", "c1"))]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"s1", "has 1 cells, not 2"),
        (b"s1,c1,", "has 3 cells, not 2"),
        (b",c1", "student_id is empty"),
        (b"s1,", "course_id is empty"),
        (b"s1, c1", "course_id is not an id"),
        (b"s1,c1 ", "course_id is not an id"),
        (b"s1,c" + b"1" * 128, "course_id is not an id"),
        ("s1,ç1".encode(), "course_id is not an id"),
        ("s1,\N{ARABIC-INDIC DIGIT ONE}".encode(), "course_id is not an id"),
        (b"s1,c\xff", "is not UTF-8"),
        (b"s1,c\0", "has a NUL character, which no database can hold"),
        (b's1,"c1', "is not CSV: a quote is left open"),
        (b"s1\r,c1", "is not CSV: "),
    ],
)
def test_a_bad_enrolment_is_rejected_and_no_other(folder: Path, line: bytes, reason: str) -> None:
    content = b"student_id,course_id\ns0,c0\n" + line + b"\ns9,c9\n"
    first, rejection, last = lines(folder, content, ENROLLMENTS)

    assert isinstance(rejection, Rejection)
    assert rejection.line == 3
    assert rejection.reason.startswith(reason)
    assert [first, last] == [Row(2, ("s0", "c0")), Row(4, ("s9", "c9"))]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"s1,Ada,ada@example.edu\n",
        b"id,name\n",
        b"id,name,email,born\n",
        b"id,name,name\n",
        b"\xff\xfei\0d\0,\0",
        b'"id,name,email\n',
        b"PK\x03\x04 a spreadsheet",
    ],
)
def test_a_file_without_the_header_is_refused(folder: Path, content: bytes) -> None:
    with pytest.raises(BadFileError, match=r"file\.csv: the first line must be the header id,name"):
        source(folder, content)


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.csv", "No such file"), (".", "not a regular file")]
)
def test_a_file_that_cannot_be_read_is_refused(folder: Path, name: str, reason: str) -> None:
    with pytest.raises(BadFileError, match=reason):
        CsvSource(STUDENTS, folder / name)


def test_a_pipe_is_refused_since_it_can_be_read_only_once(folder: Path) -> None:
    os.mkfifo(folder / "pipe")

    with pytest.raises(BadFileError, match="not a regular file"):
        CsvSource(STUDENTS, folder / "pipe")


def test_position_comes_to_the_size(folder: Path) -> None:
    students = source(folder, "id,name,email\ns1,Ada,a\ns2,Bob,b\n")

    assert students.position == 0
    assert len(list(students)) == 2
    assert students.position == students.size


def test_can_be_read_again(folder: Path) -> None:
    students = source(folder, "id,name,email\ns1,Ada,a\n")

    assert list(students) == list(students)
