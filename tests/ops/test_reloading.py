"""Files that are replaced under a running server."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from enrollment_server import reloading
from enrollment_server.reloading import BadFileError, Reloaded


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "LOOK", -1)


@pytest.fixture
def file(folder: Path) -> Path:
    path = folder / "number"
    path.write_text("1")
    return path


@pytest.fixture
def number(file: Path) -> Reloaded[int]:
    return Reloaded([file], int, nullcontext)


def replace(file: Path, content: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(content)
    new.replace(file)


def test_what_is_new_is_in_force(file: Path, number: Reloaded[int]) -> None:
    assert number() == 1
    replace(file, "2")
    assert number() == 2


def test_what_is_broken_leaves_the_old_in_force_and_is_said_once(
    file: Path, number: Reloaded[int], caplog: pytest.LogCaptureFixture
) -> None:
    replace(file, "two")

    assert [number(), number()] == [1, 1]
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert f"cannot use {file}: " in record.getMessage()


def test_what_is_gone_leaves_the_old_in_force(file: Path, number: Reloaded[int]) -> None:
    file.unlink()
    assert number() == 1
    replace(file, "3")
    assert number() == 3


def test_two_files_that_do_not_fit_yet_are_tried_again_when_they_do(folder: Path) -> None:
    def equal(left: bytes, right: bytes) -> bytes:
        if left != right:
            raise ValueError("they differ")
        return left

    files = [folder / "left", folder / "right"]
    for file in files:
        file.write_text("1")
    both = Reloaded(files, equal, nullcontext)

    replace(files[0], "2")
    assert both() == b"1"
    replace(files[1], "2")
    assert both() == b"2"


def test_at_the_start_a_broken_file_is_an_error(folder: Path) -> None:
    with pytest.raises(BadFileError, match=r"cannot read .*/missing: No such file"):
        Reloaded([folder / "missing"], int, nullcontext)


def test_what_comes_to_be_right_by_itself_is_in_force_then(file: Path) -> None:
    """As a certificate does that is not valid yet."""
    right = [True, False, False, True]

    def parse(content: bytes) -> bytes:
        if not right.pop(0):
            raise ValueError("not yet")
        return content

    value = Reloaded([file], parse, nullcontext)
    replace(file, "2")

    assert [value(), value(), value()] == [b"1", b"1", b"2"]


def test_whoever_looks_at_the_files_says_that_it_may_take_long(file: Path) -> None:
    blocked = False

    @contextmanager
    def blocking() -> Iterator[None]:
        nonlocal blocked
        blocked = True
        yield
        blocked = False

    value = Reloaded([file], lambda _content: blocked, blocking)
    assert not value()  # the first time, nobody waits yet
    replace(file, "2")

    assert value()
    assert not blocked


@pytest.mark.parametrize("error", [TypeError(), RecursionError(), KeyError("kid")])
def test_whatever_the_parser_raises_leaves_the_old_in_force(
    file: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def parse(content: bytes) -> bytes:
        if content == b"2":
            raise error
        return content

    value = Reloaded([file], parse, nullcontext)
    replace(file, "2")

    assert value() == b"1"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
