"""Generate code from the contract, or check that what is committed still follows from it.

python scripts/contract.py generate   write client/enrollment/v1/*_pb2*
python scripts/contract.py check      lint the contract, compare it with the one last released,
                                      and the committed code with what it gives
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from google.api import annotations_pb2

ROOT = Path(__file__).resolve().parent.parent
PROTO = "enrollment/v1/enrollment.proto"
BIN = Path(sys.executable).parent
GENERATED = ROOT / "client" / "enrollment" / "v1"
RELEASED = ROOT / "tests" / "interop" / "released"

# The wheel of googleapis-common-protos carries the .proto files beside the modules.
GOOGLE_PROTOS = Path(annotations_pb2.__file__).parents[2]


def protoc(*arguments: str, source: Path = ROOT / "protos") -> None:
    include = [f"-I{source}", f"-I{GOOGLE_PROTOS}"]
    protoc = [sys.executable, "-m", "grpc_tools.protoc"]
    subprocess.run([*protoc, *include, *arguments, PROTO], check=True)


def generate(folder: Path) -> None:
    protoc(
        f"--python_out={folder}",
        f"--pyi_out={folder}",
        f"--grpc_python_out={folder}",
        f"--plugin=protoc-gen-mypy_grpc={BIN / 'protoc-gen-mypy_grpc'}",
        f"--mypy_grpc_out={folder}",
    )


def committed_code_follows() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = {path.name: path.read_bytes() for path in Path(folder).rglob("*_pb2*")}
    committed = {path.name: path.read_bytes() for path in GENERATED.glob("*_pb2*")}
    stale = sorted(
        name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name)
    )
    for name in stale:
        print(f"{GENERATED / name} does not follow from the contract: run `make generate`")
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
            generate(ROOT / "client")
            return 0
        case ["check"]:
            return 0 if all([lint(), nothing_breaks(), committed_code_follows()]) else 1
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main())
