"""docs/openapi.yaml is valid, and says what the gateway does."""

import json
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from scripts.reference import forms
from scripts.reference.contract import SERVICE, http_rule
from scripts.reference.examples import EXAMPLES, Example

from tests.docs.printed import parts
from tests.support.gateway import CODES, TABLE, Row
from tests.support.places import ROOT

OPENAPI = ROOT / "docs" / "openapi.yaml"
BIN = ROOT / ".venv-interop" / "bin"
DOCUMENT: Any = yaml.safe_load(OPENAPI.read_text())
OPERATIONS = {
    operation["operationId"]: operation
    for path in DOCUMENT["paths"].values()
    for operation in path.values()
}


def responses(operation: Any) -> Iterator[tuple[int, Any]]:
    """The HTTP statuses of an operation, and what comes with each."""
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
        yield int(status), response["content"]["application/json"]


def refusals(operation: Any) -> list[tuple[int, Any]]:
    return [(status, content) for status, content in responses(operation) if status >= 400]


def shown(operation: Any) -> set[Row]:
    """Those refusals of which there are examples."""
    return {
        (status, CODES[body["code"]], body["details"][0]["reason"] if body["details"] else "")
        for status, content in refusals(operation)
        for body in (example["value"] for example in content["examples"].values())
    }


def run(*command: str | Path, cwd: Path) -> None:
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120, cwd=cwd
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_it_is_valid(folder: Path) -> None:
    run(BIN / "openapi-spec-validator", OPENAPI, cwd=folder)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_reason_has_an_example_with_its_code(name: str) -> None:
    for status, content in refusals(OPERATIONS[name]):
        said = content["schema"]["properties"]
        details = said["details"]
        reasons = details["items"]["properties"]["reason"]["enum"] if "items" in details else []
        rows = [row for row in shown(OPERATIONS[name]) if row[0] == status]
        assert {reason for _, _, reason in rows} - {""} == set(reasons)
        assert {code for _, code, _ in rows} == {CODES[code] for code in said["code"]["enum"]}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_every_status_in_which_it_can_end(name: str) -> None:
    of_bodies = set() if "requestBody" in OPERATIONS[name] else {413, 415}
    possible = {status for status, _, _ in TABLE} - {405} - of_bodies

    assert {status for status, _ in refusals(OPERATIONS[name])} == possible


def test_together_they_show_every_refusal_but_of_what_is_not_there() -> None:
    of_nothing = {(404, "NOT_FOUND", ""), (405, "UNIMPLEMENTED", "")}

    assert set().union(*map(shown, OPERATIONS.values())) == set(TABLE) - of_nothing


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.method}: {one.title}")
def test_every_example_is_what_the_gateway_answers(example: Example, gateway: str) -> None:
    verb = http_rule(SERVICE.methods_by_name[example.method]).verb.upper()
    body = forms.http_body(example)
    connection = HTTPConnection(urlsplit(gateway).netloc, timeout=10)
    connection.request(
        verb,
        forms.http_target(example),
        json.dumps(body) if body else None,
        {"content-type": "application/json"} if body else {},
    )
    response = connection.getresponse()
    answer = (response.status, parts(response.read().decode()))
    connection.close()

    [shown] = [
        (status, parts(json.dumps(content["examples"][example.title]["value"])))
        for status, content in responses(OPERATIONS[example.method])
        if example.title in content.get("examples", {})
    ]
    assert answer == shown


def test_schemathesis_finds_no_deviation(gateway: str, folder: Path) -> None:
    settings = ROOT / "schemathesis.toml"
    schemathesis: list[str | Path] = [BIN / "schemathesis", "--config-file", settings]

    run(*schemathesis, "run", OPENAPI, "--url", gateway, cwd=folder)  # it leaves files there
