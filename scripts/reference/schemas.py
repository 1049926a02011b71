"""JSON schemas of what the HTTP form takes and gives."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.code_pb2 import Code

from enrollment.v1 import enrollment_pb2 as pb
from enrollment_server.domain import ID_PATTERN
from enrollment_server.rpc.errors import DOMAIN
from enrollment_server.rpc.validation import MAX_COURSE_IDS
from scripts.reference.contract import SERVICE, Contract, Reason, http_rule, is_required

Json = dict[str, Any]

_SCALARS: Mapping[int, Json] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32", "maximum": 2**31 - 1},
}

# What the server asks beyond types, by the name of the field: of each value, of their number.
_ID = {"pattern": f"^{ID_PATTERN}$"}
_VALUES: Mapping[str, Json] = {
    "id": _ID,
    "student_id": _ID,
    "course_id": _ID,
    "course_ids": _ID,
    "page_size": {"minimum": 0},
}
_NUMBERS: Mapping[str, Json] = {"course_ids": {"minItems": 1, "maxItems": MAX_COURSE_IDS}}


def components(contract: Contract) -> Iterator[tuple[str, Json]]:
    """The schemas that have a name: bodies, and what they are made of."""
    requests = {method.input_type.name: method for method in SERVICE.methods}
    for message in pb.DESCRIPTOR.message_types_by_name.values():
        method = requests.get(message.name)
        if not method:
            # Every field is printed, empty or not.
            schema = _object(contract, message.fields, required=message.fields)
            yield message.name, {**schema, "additionalProperties": False}
        elif (rule := http_rule(method)).has_body:
            fields = [field for field in message.fields if field.name not in rule.path_fields]
            schema = _object(contract, fields, required=filter(is_required, fields))
            # The gateway ignores what it does not know, but for a name of no characters.
            yield message.name, {**schema, "propertyNames": {"minLength": 1}}
    yield from _STATUS.items()


def field_schema(field: FieldDescriptor) -> Json:
    """What the value of this field is; of a repeated field, all values together."""
    if not field.is_repeated:
        return _value(field)
    return {"type": "array", "items": _value(field), **_NUMBERS.get(field.name, {})}


def status(reasons: Iterable[Reason]) -> Json:
    """A google.rpc.Status that has one of these reasons, if it has any."""
    codes = sorted({Code.Value(reason.code) for reason in reasons})
    names = [reason.name for reason in reasons if reason.name]
    details = {"items": {"properties": {"reason": {"enum": names}}}} if names else {"maxItems": 0}
    return {**ref("Status"), "properties": {"code": {"enum": codes}, "details": details}}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(
    contract: Contract, fields: Iterable[FieldDescriptor], required: Iterable[FieldDescriptor]
) -> Json:
    return {
        "type": "object",
        "required": [field.name for field in required],
        "properties": {
            field.name: {"description": contract.description(field), **field_schema(field)}
            for field in fields
        },
    }


def _value(field: FieldDescriptor) -> Json:
    message = field.message_type
    if message is not None and message.full_name == Timestamp.DESCRIPTOR.full_name:
        return {"type": "string", "format": "date-time"}
    if message is not None:
        return ref(message.name)
    if field.enum_type is not None:
        # The first of an enum stands for none, and is never sent.
        return {"type": "string", "enum": [value.name for value in field.enum_type.values[1:]]}
    return {**_SCALARS[field.type], **_VALUES.get(field.name, {})}


def _closed(**properties: Json) -> Json:
    """An object with these properties, and no other."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _text(description: str) -> Json:
    return {"description": description, "type": "string"}


def _type_of(detail: str) -> Json:
    return {"@type": {"const": f"type.googleapis.com/google.rpc.{detail}"}}


_VIOLATION = _closed(
    field=_text("Its path, as in `course_ids[3]`. Empty if the request could not be read at all."),
    description=_text("What is wrong with it."),
    reason={"description": "Not used.", "const": ""},
)
_VIOLATION["required"].remove("reason")

_STATUS: Mapping[str, Json] = {
    "Status": _closed(
        code={"description": "The status of gRPC, a `google.rpc.Code`.", "type": "integer"},
        message=_text("A sentence for people."),
        details={
            "description": "Why, and what is wrong with a malformed request. May be empty if it"
            " is not the service that refuses, but the gateway, or gRPC itself.",
            "type": "array",
            "items": {"oneOf": [ref("ErrorInfo"), ref("BadRequest")]},
        },
    ),
    "ErrorInfo": _closed(
        **_type_of("ErrorInfo"),
        reason=_text("For programs to act on."),
        domain={"const": DOMAIN},
        metadata={
            "description": "The values that the message speaks of.",
            "type": "object",
            "additionalProperties": {"type": "string"},
        },
    ),
    "BadRequest": _closed(
        **_type_of("BadRequest"), field_violations={"type": "array", "items": _VIOLATION}
    ),
}
