"""A real Envoy, and calls by HTTP."""

import json
import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import yaml
from scripts.gateway import ENVOY, ENVOY_FLAGS, Config

from tests.support.places import ROOT
from tests.support.statuses import Refusal
from tests.support.waiting import wait_until

JSON = "application/json"
TYPE = "type.googleapis.com/google.rpc."
CODES = {code.value[0]: code.name for code in grpc.StatusCode}

Row: TypeAlias = tuple[int, str, str]  # HTTP, gRPC, reason

# The refusals, as docs/http.md lists them.
TABLE: list[Row] = [
    (int(status), code.strip(), reason.strip())
    for status, code, reason in re.findall(
        r"^\| ([45]\d\d) \|(.*?)\|(.*?)\|", (ROOT / "docs" / "http.md").read_text(), re.MULTILINE
    )
]


def envoy(config: Config, log: Path | None = None) -> AbstractContextManager[str]:
    """An Envoy with this configuration; gives its address."""
    [listener] = config["static_resources"]["listeners"]
    where = listener["address"]["socket_address"]
    return envoy_as_written(
        yaml.safe_dump(config), f"{where['address']}:{where['port_value']}", log
    )


@contextmanager
def envoy_as_written(text: str, address: str, log: Path | None = None) -> Iterator[str]:
    """The same from YAML, which says that it listens at this address."""
    host, _, port = address.rpartition(":")
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "envoy.yaml"
        config.write_text(text)
        log = log or Path(name) / "log"
        # One worker: with several, each goes round the servers by itself.
        command: list[str | Path] = [ENVOY, "-c", config, *ENVOY_FLAGS, "--concurrency", "1"]
        with log.open("w") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            with suppress(OSError), socket.create_connection((host, int(port))):
                return True
            return False

        try:
            wait_until(answers)
            yield address
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Answer:
    """What came back by HTTP."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == JSON
        return json.loads(self.body)

    @property
    def refusal(self) -> Refusal:
        """Read a google.rpc.Status strictly: nothing else may be there."""
        status = self.json
        assert status.keys() == {"code", "message", "details"}
        code, message = CODES[status["code"]], status["message"]
        assert message
        if not status["details"]:
            return Refusal(code, message, reason="")
        info, *others = status["details"]
        assert info.keys() == {"@type", "reason", "domain", "metadata"}
        assert (info["@type"], info["domain"]) == (f"{TYPE}ErrorInfo", "enrollment.v1")
        violations = {}
        for detail in others:
            assert detail.keys() == {"@type", "field_violations"}
            assert detail["@type"] == f"{TYPE}BadRequest"
            violations = {one["field"]: one["description"] for one in detail["field_violations"]}
            assert len(violations) == len(detail["field_violations"])
            assert all(violations.values())
        return Refusal(code, message, info["reason"], info["metadata"], violations)


def call(
    address: str,
    method: str,
    path: str,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request, on a connection of its own. A body is JSON, unless the headers differ."""
    host, _, port = address.rpartition(":")
    connection = (
        HTTPSConnection("localhost", int(port), timeout=30, context=tls)
        if tls
        else HTTPConnection(host, int(port), timeout=30)
    )
    sent = {**({} if body is None else {"content-type": JSON}), **(headers or {})}
    with closing(connection):
        connection.request(method, path, body, sent)
        return _answer(connection.getresponse())


def raw(address: str, request: bytes) -> Answer:
    """What is answered to these very bytes."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        return _answer(response)


def _answer(response: HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    assert len(headers) == len(response.getheaders())  # none is there twice
    return Answer(response.status, response.read(), headers)
