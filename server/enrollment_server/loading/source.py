"""CSV files with a header, read a line at a time, every line accepted or rejected.

A record is one line: a quote that is left open spoils its own line and no other.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from enrollment_server.domain import ID_PATTERN, ID_RULE, is_id


@dataclass(frozen=True)
class Layout:
    """The columns of a kind of file, and what their cells must hold."""

    name: str
    columns: tuple[str, ...]
    ids: frozenset[str]  # must be well-formed ids
    required: frozenset[str]  # must not be empty
    unique: bool  # whether a first column may come once only


STUDENTS = Layout(
    "students", ("id", "name", "email"), frozenset({"id"}), frozenset({"name"}), unique=True
)
COURSES = Layout(
    "courses", ("id", "code", "title"), frozenset({"id"}), frozenset({"title"}), unique=True
)
ENROLLMENTS = Layout(
    "enrollments",
    ("student_id", "course_id"),
    frozenset({"student_id", "course_id"}),
    frozenset(),
    unique=False,
)


class BadFileError(Exception):
    """The file as a whole cannot be read; the message says why."""


class Row(NamedTuple):
    """An accepted line: its cells in the layout's order, None for an empty one."""

    line: int
    cells: tuple[str | None, ...]


class Rejection(NamedTuple):
    """A line that was not accepted, and why."""

    line: int
    reason: str


class CsvSource:
    """A file of one layout.

    Iterating yields a Row or a Rejection for every line but the header and blank ones.
    While it goes on, `position` is how many of its `size` bytes are read, and `lines_by_id`,
    where the first column is unique, holds the ids met and their lines.

    Raises BadFileError if the file cannot be opened or lacks the layout's header.
    """

    def __init__(self, layout: Layout, path: Path) -> None:
        self.layout = layout
        self.path = path
        self.position = 0
        self.lines_by_id: dict[str, int] = {}
        if path.exists() and not path.is_file():  # a pipe, say: it can be read only once
            raise BadFileError(f"{path}: not a regular file")
        with self._open() as file:
            self.size = path.stat().st_size
            self._order = self._read_header(file)
        # Where all columns are ids and any line may come again, this matches a good line.
        self._plain: re.Pattern[str] | None = None
        if layout.ids == set(layout.columns) and not layout.unique:
            ids = ",".join([f"({ID_PATTERN})"] * len(self._order))
            self._plain = re.compile(rf"{ids}[\r\n]*")
        self._groups = [place + 1 for place in self._order]

    def __iter__(self) -> Iterator[Row | Rejection]:
        self.position = 0
        self.lines_by_id = {}
        with self._open() as file:
            for number, line in enumerate(file, start=1):
                self.position += len(line)
                if number > 1 and line.strip():
                    try:
                        yield Row(number, self._cells(number, line))
                    except ValueError as error:
                        yield Rejection(number, str(error))

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise BadFileError(f"{self.path}: {error.strerror}") from None

    def _read_header(self, file: BinaryIO) -> list[int]:
        """Where in a line each column of the layout is: they may come in any order."""
        expected = f"{self.path}: the first line must be the header {','.join(self.layout.columns)}"
        try:
            header = _split(file.readline().removeprefix(b"\xef\xbb\xbf"))  # a byte order mark
        except (OSError, ValueError):
            raise BadFileError(expected) from None
        if sorted(header) != sorted(self.layout.columns):
            raise BadFileError(expected)
        return [header.index(column) for column in self.layout.columns]

    def _cells(self, number: int, line: bytes) -> tuple[str | None, ...]:
        """The line's cells. Raises ValueError if anything is wrong with them."""
        layout = self.layout
        # Nearly every line is plain, and seen to be so in a third of the time; whether any
        # other is good, and if not, why, is seen below.
        if self._plain and (plain := self._plain.fullmatch(line.decode(errors="replace"))):
            return plain.group(*self._groups)
        found = _split(line)
        if len(found) != len(layout.columns):
            raise ValueError(f"has {len(found)} cells, not {len(layout.columns)}")
        cells = [found[place] for place in self._order]
        for column, cell in zip(layout.columns, cells, strict=True):
            if column in layout.ids and not is_id(cell):
                raise ValueError(f"{column} is {f'not an id ({ID_RULE})' if cell else 'empty'}")
            if column in layout.required and not cell.strip():
                raise ValueError(f"{column} is empty")
        if layout.unique:
            first = self.lines_by_id.setdefault(cells[0], number)
            if first != number:
                raise ValueError(f"{layout.columns[0]} {cells[0]} is on line {first} already")
        return tuple(cell or None for cell in cells)


def _split(line: bytes) -> list[str]:
    """The cells of one line. Raises ValueError if it is not CSV in UTF-8."""
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if text.count('"') % 2:
        raise ValueError("is not CSV: a quote is left open")
    if "\0" in text:
        raise ValueError("has a NUL character, which no database can hold")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise ValueError(f"is not CSV: {error}") from None
