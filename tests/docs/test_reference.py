"""The reference shows what happens: its examples are run, and print what it says they print."""

import re
from dataclasses import dataclass

from tests.docs.printed import parts
from tests.support.places import ROOT
from tests.support.programs import run_program

PAGE = (ROOT / "docs" / "reference.md").read_text()


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
        if method == "Two forms":  # how to prepare the shell
            continue
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        for number, (language, code) in enumerate(blocks):
            if language in ("sh", "python"):
                tool = code.split()[0] if language == "sh" else "python"
                rest = blocks[number + 1 :]
                printed = next(text for kind, text in rest if kind in ("json", "text"))
                found.append(Example(method, tool, code, printed))
    return found


EXAMPLES = _examples()
[PATH] = re.findall(r"export PATH=.*", PAGE)


def pasted(example: Example, server: str, gateway: str) -> str:
    """What it prints, its output and then its complaints, in a shell prepared as the page says."""
    code = f"python - <<'END'\n{example.code}END" if example.tool == "python" else example.code
    code = code.replace("http://127.0.0.1:8080", gateway).replace("127.0.0.1:50051", server)
    result = run_program("bash", "-c", f"{PATH}\n{code}")
    return result.stdout + result.stderr


def test_every_method_is_shown_in_every_form() -> None:
    assert {(one.method, one.tool) for one in EXAMPLES} == {
        (method, tool)
        for method in ("AssociateCourses", "ListStudentCourses", "RemoveCourse")
        for tool in ("grpcurl", "curl", "python")
    }


def test_pasted_from_top_to_bottom_they_print_what_is_shown(server: str, gateway: str) -> None:
    printed = [(one.method, one.tool, pasted(one, server, gateway)) for one in EXAMPLES]

    assert [(method, tool, parts(text)) for method, tool, text in printed] == [
        (one.method, one.tool, parts(one.printed)) for one in EXAMPLES
    ]
