"""The systemd unit."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from enrollment_server.cli.serve import GRACE
from enrollment_server.settings import Limits
from tests.support.places import ROOT

UNIT = ROOT / "deploy/enrollment-server.service"
INSTALLED = "/opt/enrollment-server/bin/enrollment-server"
EXPOSURE = 15  # tenths: at most 1.5, of 10

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there"
)


def values(name: str) -> list[str]:
    """What the unit sets this to."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_calls_in_flight_have_their_time_before_they_are_killed() -> None:
    [seconds] = values("TimeoutStopSec")

    assert int(seconds) > Limits().drain_timeout + GRACE


def test_only_the_main_process_is_told_to_stop_and_speaks_to_systemd() -> None:
    assert values("Type") == ["notify"]
    assert values("NotifyAccess") == ["main"]
    assert values("KillMode") == ["mixed"]


def test_it_runs_what_the_readme_installs() -> None:
    readme = (UNIT.parent / "README.md").read_text()

    assert values("ExecStart") == [f"{INSTALLED} serve"]
    assert f"python3.11 -m venv {Path(INSTALLED).parent.parent}\n" in readme
    assert f"  {INSTALLED} migrate\n" in readme
    [environment] = values("EnvironmentFile")
    assert f"-p EnvironmentFile={environment} " in readme


@needs_systemd
def test_systemd_understands_the_unit(folder: Path) -> None:
    unit = folder / UNIT.name
    # systemd wants a program that is there.
    unit.write_text(UNIT.read_text().replace(INSTALLED, sys.executable))

    result = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60
    )

    assert result.returncode == 0, result.stderr
    assert UNIT.name not in result.stderr  # no warning, either


@needs_systemd
def test_systemd_finds_it_hardened() -> None:
    flags = ["--offline=true", "--no-pager", f"--threshold={EXPOSURE}"]
    result = subprocess.run(
        ["systemd-analyze", "security", *flags, UNIT], capture_output=True, text=True, timeout=60
    )

    assert result.returncode == 0, result.stdout + result.stderr
