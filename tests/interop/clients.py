"""Clients that are not ours: programs that take a request as JSON, and print what they get."""

import base64
import json
import re
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from tests.support.api import Calls, method_of
from tests.support.places import BIN, INTEROP_BIN
from tests.support.programs import run_program
from tests.support.statuses import Refusal, refusal_in
from tests.support.typescript import Project

PLAINTEXT = ("-plaintext",)
BUF_CURL = (BIN / "buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge")


class Grpcurl(Calls):
    """In Go. Asks the server for the contract, unless the flags name files."""

    def __init__(self, address: str, flags: Sequence[object] = PLAINTEXT) -> None:
        self._address = address
        self._flags = [*flags, "-format-error"]

    def call(self, request: Message) -> Any:
        data = ["-d", json_format.MessageToJson(request)]
        method = method_of(request).full_name
        result = run_program(INTEROP_BIN / "grpcurl", *self._flags, *data, self._address, method)
        if result.returncode == 0:
            return response_to(request, result.stdout)
        return refusal_in(json_format.Parse(result.stderr, Status()))


class BufCurl(Calls):
    """In Go, on another implementation of gRPC. Asks the server for the contract."""

    def __init__(self, address: str) -> None:
        self._address = address

    def call(self, request: Message) -> Any:
        method = "/".join(method_of(request).full_name.rsplit(".", 1))
        data = ["--data", json_format.MessageToJson(request)]
        result = run_program(*BUF_CURL, *data, f"http://{self._address}/{method}")
        if result.returncode == 0:
            return response_to(request, result.stdout)
        error = json.loads(result.stderr)
        number = grpc.StatusCode[error["code"].upper()].value[0]
        status = Status(code=number, message=error["message"])
        for detail in error["details"]:
            value = base64.b64decode(detail["value"] + "==")  # buf leaves out the padding
            status.details.add(type_url=f"type.googleapis.com/{detail['type']}", value=value)
        return refusal_in(status)


class TypeScript(Calls):
    """The stub that protoc-gen-es makes, and Connect's gRPC, on Node.js."""

    def __init__(self, address: str, project: Project) -> None:
        self._url = f"http://{address}"
        self._project = project

    def call(self, request: Message) -> Any:
        method = method_of(request).name
        result = self._project.node(
            "call.ts", self._url, method, json_format.MessageToJson(request)
        )
        if result.returncode == 0:
            return response_to(request, result.stdout)
        error = json.loads(result.stderr)
        assert error["domain"] == "enrollment.v1"
        code = re.sub("(?<!^)[A-Z]", r"_\g<0>", error["code"]).upper()
        violations = {each["field"]: each["description"] for each in error["violations"]}
        assert len(violations) == len(error["violations"])
        return Refusal(code, error["message"], error["reason"], error["metadata"], violations)


def response_to(request: Message, printed: str) -> Message:
    """What was printed, read as strictly as can be: every name and type is the contract's."""
    kind = message_factory.GetMessageClass(method_of(request).output_type)
    return json_format.Parse(printed, kind())
