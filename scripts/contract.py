"""Generate files from the contract, or check that those committed still follow from it.

python scripts/contract.py generate   write client/enrollment/v1/*_pb2* and deploy/enrollment.binpb
python scripts/contract.py check      lint the contract, compare it with the one last released,
                                      and the committed files with what it gives
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from google.api import annotations_pb2

ROOT = Path(__file__).resolve().parent.parent
PROTO = "enrollment/v1/enrollment.proto"
BIN = Path(sys.executable).parent
CODE = "client/enrollment/v1"
DESCRIPTORS = "deploy/enrollment.binpb"
RELEASED = ROOT / "tests" / "interop" / "released"

# What a refusal is made of. The contract does not import it, and Envoy has to print it.
ERRORS = ["google/rpc/status.proto", "google/rpc/error_details.proto"]

# The wheel of googleapis-common-protos carries the .proto files beside the modules.
GOOGLE_PROTOS = Path(annotations_pb2.__file__).parents[2]


def protoc(*arguments: str, source: Path = ROOT / "protos") -> None:
    include = [f"-I{source}", f"-I{GOOGLE_PROTOS}"]
    protoc = [sys.executable, "-m", "grpc_tools.protoc"]
    subprocess.run([*protoc, *include, *arguments, PROTO], check=True)


def generate(root: Path) -> None:
    """Write what follows from the contract into the folders of this root, which are there."""
    code = root / "client"
    protoc(
        f"--python_out={code}",
        f"--pyi_out={code}",
        f"--grpc_python_out={code}",
        f"--plugin=protoc-gen-mypy_grpc={BIN / 'protoc-gen-mypy_grpc'}",
        f"--mypy_grpc_out={code}",
    )
    protoc("--include_imports", f"--descriptor_set_out={root / DESCRIPTORS}", *ERRORS)


def generated(root: Path) -> dict[str, bytes]:
    """The generated files below this root, by path."""
    paths = [*(root / CODE).glob("*_pb2*"), *root.glob(DESCRIPTORS)]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def committed_files_follow() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("client", "deploy"):
            (root / name).mkdir()
        generate(root)
        fresh, committed = generated(root), generated(ROOT)
    stale = sorted(
        path for path in fresh.keys() | committed.keys() if fresh.get(path) != committed.get(path)
    )
    for path in stale:
        print(f"{path} does not follow from the contract: run `make generate`")
    return not stale


def lint() -> bool:
    # buf resolves imports from its own registry or from files in the workspace; an image
    # that protoc built from the installed protos needs neither.
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "contract.binpb"
        protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={image}")
        linted = subprocess.run(
            [BIN / "buf", "lint", image, "--path", "enrollment"], cwd=ROOT, check=False
        )
    formatted = subprocess.run(
        [BIN / "buf", "format", "--diff", "--exit-code", "protos"], cwd=ROOT, check=False
    )
    return linted.returncode == 0 and formatted.returncode == 0


def nothing_breaks() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        today, released = Path(folder) / "today.binpb", Path(folder) / "released.binpb"
        protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={today}")
        protoc("--include_imports", f"--descriptor_set_out={released}", source=RELEASED)
        compared = subprocess.run(
            [BIN / "buf", "breaking", today, "--against", released, "--exclude-imports"],
            cwd=ROOT,
            check=False,
        )
    return compared.returncode == 0


def main() -> int:
    match sys.argv[1:]:
        case ["generate"]:
            generate(ROOT)
            return 0
        case ["check"]:
            return 0 if all([lint(), nothing_breaks(), committed_files_follow()]) else 1
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main())
