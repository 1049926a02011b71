"""Where things are: the repository, and the programs of this environment."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
