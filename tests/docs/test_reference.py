"""The reference shows what happens: its examples are run, and print what it says they print."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.docs.printed import parts
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "reference.md").read_text()
GRPCURL = ROOT / ".venv-interop" / "bin" / "grpcurl"


@dataclass(frozen=True)
class Example:
    """A block of code of the page, and the first block after it of what is printed."""

    method: str
    tool: str
    code: str
    printed: str


def _examples() -> list[Example]:
    found = []
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        method = section.splitlines()[0]
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        for number, (language, code) in enumerate(blocks):
            if language in ("sh", "python"):
                tool = code.split()[0] if language == "sh" else "python"
                rest = blocks[number + 1 :]
                printed = next(text for kind, text in rest if kind in ("json", "text"))
                found.append(Example(method, tool, code, printed))
    return found


EXAMPLES = _examples()


def by(tool: str) -> list[object]:
    """The examples of this tool, as parameters."""
    those = [example for example in EXAMPLES if example.tool == tool]
    return [pytest.param(one, id=f"{one.method}-{n}") for n, one in enumerate(those, 1)]


def run(command: Sequence[str]) -> str:
    """What this prints: its output, then its complaints."""
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return result.stdout + result.stderr


def test_every_method_is_shown_in_every_form() -> None:
    assert {(one.method, one.tool) for one in EXAMPLES} == {
        (method, tool)
        for method in ("AssociateCourses", "ListStudentCourses", "RemoveCourse")
        for tool in ("grpcurl", "curl", "python")
    }


@pytest.mark.parametrize("example", by("grpcurl"))
def test_grpcurl_prints_what_is_shown(example: Example, server: str) -> None:
    code = example.code.replace("127.0.0.1:50051", server).replace("grpcurl", str(GRPCURL), 1)

    assert parts(run(["bash", "-c", code])) == parts(example.printed)


@pytest.mark.parametrize("example", by("curl"))
def test_curl_prints_what_is_shown(example: Example, gateway: str) -> None:
    code = example.code.replace("http://127.0.0.1:8080", gateway)

    assert parts(run(["bash", "-c", code])) == parts(example.printed)


@pytest.mark.parametrize("example", by("python"))
def test_python_prints_what_is_shown(example: Example, server: str) -> None:
    code = example.code.replace("127.0.0.1:50051", server)

    assert parts(run([sys.executable, "-c", code])) == parts(example.printed)
