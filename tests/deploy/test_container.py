"""The container's recipe: what can be told of it without building it."""

import re

from tests.support.places import ROOT

TEXT = (ROOT / "deploy/Containerfile").read_text()


def test_the_base_is_the_oldest_python_that_the_server_runs_on() -> None:
    [base] = re.findall(r"^ARG BASE=(.*)$", TEXT, re.MULTILINE)
    [python] = re.findall(
        r'^requires-python = ">=(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M
    )

    assert base == f"python:{python}-slim"
    assert len(re.findall(r"^FROM \$\{BASE\}", TEXT, re.MULTILINE)) == 2


def test_it_is_not_root() -> None:
    assert re.findall(r"^USER (.*)$", TEXT, re.MULTILINE) == ["65532:65532"]


def pins(name: str) -> set[str]:
    """The packages of a lock, each with its version."""
    lock = (ROOT / "requirements" / name).read_text()
    return set(re.findall(r"^([a-z0-9._-]+==[^ ;\\]+)", lock, re.MULTILINE))


def test_what_is_installed_is_what_the_tests_ran_with() -> None:
    assert pins("server.txt")
    assert pins("server.txt") <= pins("dev.txt")


def test_every_package_comes_with_hashes() -> None:
    assert "--require-hashes --only-binary :all: --requirement server.txt" in TEXT
    lock = (ROOT / "requirements/server.txt").read_text()
    for block in re.split(r"\n(?=[a-z])", lock):
        assert "--hash=sha256:" in block
