"""The reference as a page in Markdown: every call in each of its forms, with examples."""

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from enrollment.v1 import enrollment_pb2 as pb
from scripts.reference import forms
from scripts.reference.contract import PACKAGE, SERVICE, Contract, Reason, http_rule, is_required
from scripts.reference.examples import EXAMPLES, Example

_HEAD = f"""\
<!-- Made by `make generate` from protos/ and scripts/reference/. -->

# Reference

{{about}}

## Two forms

`make run` serves gRPC on {forms.GRPC_ADDRESS}, in plain text and with reflection;
`make gateway` takes the same calls over HTTP, on {forms.HTTP_URL}. Over HTTP, JSON has the
contract's names, and every field is there, empty or not; a `Timestamp` is text (RFC 3339), an
enum the name of its value, and the body of an error is its `google.rpc.Status`. grpcurl prints
the same with `-emit-defaults`, but for errors; other tools write `createTime`, and leave out what
is empty. [openapi.yaml](openapi.yaml) has the HTTP form for programs.

A token, where the server wants one, is sent as `authorization: Bearer TOKEN`: as metadata in
gRPC, as a header in HTTP.

The examples take grpcurl, curl (7.82 or newer), and Python with the client. In a clone of the
repository, this line gets all but curl, and has the shell find them:

```sh
make clients && export PATH="$PWD/.venv/bin:$PWD/.venv-interop/bin:$PATH"
```

The answers are those of the sample database as `make run` loads it, when the examples are run
once, from the top of the page to its end; the times will be others. What changes something is
about another student in each form. What curl prints is one line, and is indented here.
"""


def document(contract: Contract) -> str:
    """All of it."""
    parts = [_HEAD.format(about=contract.comment(PACKAGE))]
    for method in SERVICE.methods:
        parts += _method(contract, method)
    parts += _messages(contract)
    parts += _common_errors(contract)
    return "\n".join(parts)


def _method(contract: Contract, method: MethodDescriptor) -> Iterator[str]:
    rule = http_rule(method)
    yield f"## {method.name}\n"
    yield f"`{SERVICE.full_name}/{method.name}` · `{rule.verb.upper()} {rule.path}`\n"
    yield f"{contract.comment(method.full_name)}\n"
    places = dict.fromkeys(rule.path_fields, "path")
    other = "body" if rule.has_body else "query"
    yield _table(
        ("request", "", "in HTTP", ""),
        (
            (
                f"`{field.name}`",
                f"{_type(field)}, {'required' if is_required(field) else 'optional'}",
                places.get(field.name, other),
                contract.comment(field.full_name),
            )
            for field in method.input_type.fields
        ),
    )
    yield _fields(contract, "response", method.output_type.fields)
    yield _reasons(contract.reasons(method))
    yield "Any call can also end in the [errors of every call](#errors-of-every-call).\n"
    for example in EXAMPLES:
        if example.method == method.name and example.python:
            yield from _example(contract, example)


def _example(contract: Contract, example: Example) -> Iterator[str]:
    yield f"### {example.title}\n"
    yield _block("sh", forms.grpcurl(example))
    if example.reason:
        yield _block("text", forms.grpcurl_prints(example))
    yield _block("sh", forms.curl(example))
    yield _block("text" if example.reason else "json", forms.curl_prints(example, contract))
    yield _block("python", forms.python(example))
    yield _block("text", example.printed)


def _messages(contract: Contract) -> Iterator[str]:
    yield "## Messages\n"
    of_methods = {m.input_type.name for m in SERVICE.methods}
    of_methods |= {m.output_type.name for m in SERVICE.methods}
    for message in pb.DESCRIPTOR.message_types_by_name.values():
        if message.name in of_methods:
            continue
        yield f"### {message.name}\n"
        yield f"{contract.comment(message.full_name)}\n"
        yield _fields(contract, "field", message.fields)
        for enum in message.enum_types:
            rows = ((f"`{name}`", comment) for name, comment in contract.values(enum))
            yield _table((f"`{enum.name}`", ""), rows)


def _common_errors(contract: Contract) -> Iterator[str]:
    yield "## Errors of every call\n"
    yield _reasons(contract.common_reasons())
    yield (
        "Over HTTP, the gateway refuses some requests by itself, such as those of a method that"
        " the path does not take (405) or with a body of another type (415):"
        " [http.md](http.md#refusals) has them all.\n"
    )


def _fields(contract: Contract, title: str, fields: Iterable[FieldDescriptor]) -> str:
    rows = ((f"`{one.name}`", _type(one), contract.comment(one.full_name)) for one in fields)
    return _table((title, "", ""), rows)


def _type(field: FieldDescriptor) -> str:
    if field.message_type is None:
        name = field.enum_type.name if field.enum_type else _SCALARS[field.type]
    elif field.message_type.file == pb.DESCRIPTOR:
        name = f"[{field.message_type.name}](#{field.message_type.name.lower()})"
    else:
        name = field.message_type.name
    return f"list of {name}" if field.is_repeated else name


_SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
}


def _reasons(reasons: Iterable[Reason]) -> str:
    rows = ((f"`{one.name}`", one.code, str(one.http), one.meaning) for one in reasons)
    return _table(("error", "gRPC", "HTTP", ""), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}```\n"
