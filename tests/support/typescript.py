"""The TypeScript of tests/interop/typescript, with the stub that the contract makes."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.places import BIN, GOOGLE_PROTOS, INTEROP_BIN, PROTOS, ROOT
from tests.support.programs import run_program

SOURCE = ROOT / "tests" / "interop" / "typescript"
# What there is a stub of: calls, and the details of errors.
STUB_OF = ["enrollment/v1/enrollment.proto", "google/rpc/error_details.proto"]


class Project:
    """A copy of it, and of the contract, in a folder that is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
        (folder / "node_modules").symlink_to(SOURCE / "node_modules")
        # buf finds imports only beside what imports them.
        shutil.copytree(PROTOS, folder / "protos")
        for package in ("google/api", "google/rpc"):
            modules = shutil.ignore_patterns("*.py*", "__pycache__")
            shutil.copytree(GOOGLE_PROTOS / package, folder / "protos" / package, ignore=modules)
        stub = self._run(
            BIN / "buf", "generate", "protos", *(f"--path=protos/{p}" for p in STUB_OF)
        )
        assert stub.returncode == 0, stub.stderr

    def node(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run Node.js with these arguments; `--run NAME` is a script of package.json."""
        return self._run(INTEROP_BIN / "node", *arguments)

    def bundle(self) -> Path:
        """A script for pages that puts `enrollment` and `refusal` on `globalThis`."""
        bundled = self.node("--run", "bundle")
        assert bundled.returncode == 0, bundled.stderr
        return self._folder / "bundle" / "browser.js"

    def _run(self, *command: object) -> "subprocess.CompletedProcess[str]":
        # The tools of node_modules are scripts that look for node.
        path = f"{INTEROP_BIN}{os.pathsep}{os.environ['PATH']}"
        return run_program(*command, cwd=self._folder, environment={"PATH": path})
