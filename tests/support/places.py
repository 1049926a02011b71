"""Where things are: the repository, and the programs of this environment and of others."""

import shutil
import sys
from pathlib import Path

from google.api import annotations_pb2

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
INTEROP_BIN = ROOT / ".venv-interop" / "bin"

PROTOS = ROOT / "protos"
# The wheel of googleapis-common-protos carries the .proto files beside the modules.
GOOGLE_PROTOS = Path(annotations_pb2.__file__).parents[2]


def copy_source(folder: Path) -> Path:
    """A copy of the source in this folder, which is made, without what was built from it."""
    built = (".*", "build", "dist", "node_modules", "*.egg-info", "__pycache__", "*.db*")
    return Path(shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*built)))
