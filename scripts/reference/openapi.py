"""The HTTP form of the contract, as an OpenAPI 3.1 document."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import groupby
from typing import Any

import yaml
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from enrollment_server.rpc.errors import reason_of
from scripts.contract import ROOT
from scripts.reference import envoy, forms, schemas
from scripts.reference.contract import (
    PACKAGE,
    SERVICE,
    Contract,
    HttpRule,
    Reason,
    http_rule,
    is_required,
)
from scripts.reference.envoy import OwnRefusal
from scripts.reference.examples import COMMON_REFUSALS, EXAMPLES, Example
from scripts.reference.schemas import Json

JSON = "application/json"
_UNNAMED = "By the gateway"  # an example without a reason


def document(contract: Contract) -> str:
    """In YAML."""
    paths: dict[str, Json] = {}
    for method in SERVICE.methods:
        rule = http_rule(method)
        paths.setdefault(rule.path, {})[rule.verb] = _operation(contract, method)
    with (ROOT / "client" / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    over_http = "Over HTTP, the `google.rpc.Status` of an error is the body."
    openapi = {
        "openapi": "3.1.0",
        "info": {
            "title": "Enrolment service",
            "version": version,
            "description": f"{contract.comment(PACKAGE)}\n\n{over_http}",
        },
        "servers": [{"url": "/", "description": "The gateway that serves this document"}],
        "security": [{}, {"token": []}],
        "tags": [{"name": SERVICE.name, "description": contract.summary(SERVICE.full_name)}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Where the server is run with `--jwks`.",
                }
            },
            "responses": {
                _name(reasons): _refusal(reasons, _common_bodies(reasons))
                for reasons in _by_status(_common_reasons(contract))
            },
            "schemas": dict(schemas.components(contract)),
        },
    }
    return yaml.dump(openapi, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _operation(contract: Contract, method: MethodDescriptor) -> Json:
    rule = http_rule(method)
    examples = [example for example in EXAMPLES if example.method == method.name]
    summary, _, description = contract.comment(method.full_name).partition("\n\n")
    operation: Json = {
        "operationId": method.name,
        "tags": [SERVICE.name],
        "summary": summary,
        "description": description,
        "parameters": [
            _parameter(contract, field, rule, examples[0])
            for field in method.input_type.fields
            if field.name in rule.path_fields or not rule.has_body
        ],
    }
    if rule.has_body:
        bodies = {one.title: forms.http_body(one) for one in examples if not one.reason}
        content = _content(schemas.ref(method.input_type.name), bodies)
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = dict(sorted(_responses(contract, method, examples)))
    return operation


def _parameter(
    contract: Contract, field: FieldDescriptor, rule: HttpRule, example: Example
) -> Json:
    parameter = {
        "name": field.name,
        "in": "path" if field.name in rule.path_fields else "query",
        "required": is_required(field),
        "description": contract.description(field),
        "schema": schemas.field_schema(field),
    }
    # Consoles fill in the example, and what may be left out is better left out at first.
    if is_required(field):
        parameter["example"] = example.http_request[field.name]
    return parameter


def _responses(
    contract: Contract, method: MethodDescriptor, examples: Iterable[Example]
) -> Iterator[tuple[str, Json]]:
    answered = {one.title: forms.answer(one) for one in examples if not one.reason}
    ok = {
        "description": contract.comment(method.output_type.full_name),
        "content": _content(schemas.ref(method.output_type.name), answered),
    }
    if "next_page_token" in method.output_type.fields_by_name:
        ok["links"] = {"NextPage": _next_page(method)}
    yield "200", ok
    for reasons in _by_status(contract.reasons(method)):
        names = [reason.name for reason in reasons]
        bodies = {one.title: forms.answer(one) for one in examples if one.reason in names}
        yield str(reasons[0].http), _refusal(reasons, bodies)
    if http_rule(method).has_body:
        for one in envoy.OF_A_BODY:
            yield str(one.http), _refusal([one], {one.name or _UNNAMED: one.body})
    for reasons in _by_status(_common_reasons(contract)):
        yield str(reasons[0].http), {"$ref": f"#/components/responses/{_name(reasons)}"}


def _next_page(method: MethodDescriptor) -> Json:
    """How one page leads to the next (AIP-158)."""
    same = {field: f"$request.path.{field}" for field in http_rule(method).path_fields}
    token = "$response.body#/next_page_token"  # noqa: S105 - where it is, not what it is
    return {"operationId": method.name, "parameters": {**same, "page_token": token}}


def _by_status(reasons: Iterable[Reason]) -> list[list[Reason]]:
    by_status = sorted(reasons, key=lambda reason: reason.http)
    return [list(same) for _, same in groupby(by_status, key=lambda reason: reason.http)]


def _common_reasons(contract: Contract) -> list[Reason]:
    return [*contract.common_reasons(), *envoy.OF_ANY_CALL]


def _name(reasons: Iterable[Reason]) -> str:
    """That of the response which these share."""
    [status] = {reason.http for reason in reasons}
    return HTTPStatus(status).phrase.replace(" ", "")


def _refusal(reasons: list[Reason], bodies: Mapping[str, Json]) -> Json:
    codes = dict.fromkeys(f"`{reason.code}`" for reason in reasons)
    lines = [
        f"- `{one.name}`: {one.meaning}" if one.name else f"- {one.meaning}" for one in reasons
    ]
    return {
        "description": f"{', '.join(codes)}\n\n" + "\n".join(lines),
        "content": _content(schemas.status(reasons), bodies),
    }


def _common_bodies(reasons: Iterable[Reason]) -> dict[str, Json]:
    bodies = {reason_of(one.trailing_metadata): forms.status(one) for one in COMMON_REFUSALS}
    return {
        one.name or _UNNAMED: one.body if isinstance(one, OwnRefusal) else bodies[one.name]
        for one in reasons
    }


def _content(schema: Json, bodies: Mapping[str, Json | None]) -> Json:
    examples = {name: {"value": body} for name, body in bodies.items()}
    return {JSON: {"schema": schema, "examples": examples}}


class _Dumper(yaml.SafeDumper):
    """Folds long text, and repeats what is there twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _folded(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = ">" if len(text) > 80 or "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _folded)
