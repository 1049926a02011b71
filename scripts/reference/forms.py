"""A call in each of its forms, as a person types it, and what is printed then."""

import json
import re
import textwrap
from urllib.parse import quote, urlencode

from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status

from enrollment_server.errors import EnrollmentError
from enrollment_server.rpc.errors import Refusal, refusal
from scripts.reference.contract import SERVICE, Contract, http_rule
from scripts.reference.examples import Example
from scripts.reference.schemas import Json

GRPC_ADDRESS = "127.0.0.1:50051"
HTTP_URL = "http://127.0.0.1:8080"


def status(refused: Refusal) -> Json:
    """The google.rpc.Status of a refusal; over HTTP, it is the body."""
    [(_, details)] = refused.trailing_metadata
    printed = MessageToJson(
        Status.FromString(details),
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    found: Json = json.loads(printed)
    for detail in found["details"]:
        if "metadata" in detail:  # a map, which comes in any order
            detail["metadata"] = dict(sorted(detail["metadata"].items()))
    return found


def answer(example: Example) -> Json:
    """What the call is answered with, as JSON: the response, or the status."""
    if isinstance(example.answer, EnrollmentError):
        return status(refusal(example.answer))
    return dict(example.answer)


def http_target(example: Example) -> str:
    """Where the request goes: a path, and a query if there is one."""
    rule = http_rule(SERVICE.methods_by_name[example.method])
    query = example.http_request
    path = re.sub(r"{(\w+)}", lambda field: quote(query.pop(field[1]), safe=""), rule.path)
    if rule.has_body or not query:
        return path
    text = {name: one if isinstance(one, str) else json.dumps(one) for name, one in query.items()}
    return f"{path}?{urlencode(text)}"


def http_body(example: Example) -> Json | None:
    """The body of the request, where there is one."""
    rule = http_rule(SERVICE.methods_by_name[example.method])
    if not rule.has_body:
        return None
    fields = example.http_request.items()
    return {name: one for name, one in fields if name not in rule.path_fields}


def curl(example: Example) -> str:
    rule = http_rule(SERVICE.methods_by_name[example.method])
    words = ["curl -sS --fail-with-body"]
    if rule.has_body:
        words.append(f"--json '{json.dumps(http_body(example))}'")
    elif rule.verb != "get":
        words.append(f"-X {rule.verb.upper()}")
    return " ".join(words) + f" \\\n  '{HTTP_URL}{http_target(example)}'\n"


def curl_prints(example: Example, contract: Contract) -> str:
    printed = _pretty(answer(example))
    if example.reason:
        http = contract.reason(example.reason).http
        printed += f"curl: (22) The requested URL returned error: {http}\n"
    return printed


def grpcurl(example: Example) -> str:
    return (
        f"grpcurl -plaintext -emit-defaults \\\n  -d '{json.dumps(example.request)}' \\\n"
        f"  {GRPC_ADDRESS} {SERVICE.full_name}/{example.method}\n"
    )


def grpcurl_prints(example: Example) -> str:
    if not isinstance(example.answer, EnrollmentError):
        return _pretty(answer(example))
    refused = refusal(example.answer)
    code = refused.code.name.replace("_", " ").title().replace(" ", "")
    details = [
        json.dumps(one, sort_keys=True, separators=(",", ":")) for one in status(refused)["details"]
    ]
    lines = [f"  {number})\t{one}" for number, one in enumerate(details, 1)]
    return "\n".join(
        ["ERROR:", f"  Code: {code}", f"  Message: {refused.message}", "  Details:", *lines, ""]
    )


def python(example: Example) -> str:
    names = sorted({"EnrollmentClient", *re.findall(r"except (\w+)", example.python)})
    return (
        f"from enrollment import {', '.join(names)}\n\n"
        f'with EnrollmentClient("{GRPC_ADDRESS}") as client:\n'
        f"{textwrap.indent(example.python, '    ')}"
    )


def _pretty(value: Json) -> str:
    return json.dumps(value, indent=2) + "\n"
