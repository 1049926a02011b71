"""Programs that tests run."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.places import ROOT


def run_program(
    *command: object, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end. What it prints is shown beside a test that fails.

    `environment` is added to that of the tests.
    """
    result = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
    )
    sys.stdout.write(f"{command[0]} ended with {result.returncode}:\n")
    sys.stdout.write(result.stdout + result.stderr)
    return result
