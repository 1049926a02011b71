"""The calls of both READMEs, and those that `make run` says to paste."""

import re
import subprocess

import pytest

from tests.support.places import ROOT
from tests.support.programs import run_program


def _blocks(path: str, language: str) -> list[str]:
    text = (ROOT / path).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _in_python(code: str) -> str:
    return f".venv/bin/python - <<'END'\n{code}END\n"


CALLS = [
    *(code for code in _blocks("README.md", "sh") if code.startswith(".venv/bin/buf curl ")),
    *map(_in_python, _blocks("README.md", "python")),
    *map(_in_python, _blocks("client/README.md", "python")),
    *re.findall(r"^\.venv/.*?(?=\n\n)", (ROOT / "examples/calls.txt").read_text(), re.M | re.S),
]
PRINTED = [
    '"title": "Databases"',
    "no such courses: ('cs-411',)\nCS 310 Databases\n",
    "mus-220 CREATED",
    '"title": "Databases"',
    '"outcome": "OUTCOME_CREATED"',
    "cs-310 Databases\n",
]


def pasted(call: str, server: str) -> "subprocess.CompletedProcess[str]":
    return run_program("bash", "-c", call.replace("127.0.0.1:50051", server))


@pytest.mark.parametrize(("call", "printed"), [*zip(CALLS, PRINTED, strict=True)])
def test_a_call_can_be_pasted_and_is_answered(call: str, printed: str, server: str) -> None:
    result = pasted(call, server)

    assert (result.returncode, result.stderr) == (0, "")
    assert printed in result.stdout


def test_together_they_leave_what_they_found(server: str) -> None:
    """So that the reference still shows what there is."""
    before, *_, after = [pasted(call, server).stdout for call in [*CALLS, CALLS[0]]]

    assert after == before
