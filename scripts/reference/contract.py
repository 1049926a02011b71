"""What the contract says: its descriptors, and the comments that these lack at run time."""

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor import (
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from enrollment.v1 import enrollment_pb2 as pb
from scripts.contract import protoc

PACKAGE = pb.DESCRIPTOR.package
SERVICE = pb.DESCRIPTOR.services_by_name["EnrollmentService"]


class ContractError(Exception):
    """What comments contradict each other in; for people."""


@dataclass(frozen=True)
class Reason:
    """Why a call fails: a value of ErrorReason, and the status that comes with it."""

    name: str
    code: str  # of gRPC, by name
    http: int
    meaning: str


@dataclass(frozen=True)
class HttpRule:
    """The HTTP form of a method: what its google.api.http annotation says."""

    verb: str
    path: str
    has_body: bool

    @property
    def path_fields(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)


class Contract:
    """The comments of the contract, and what is read from them."""

    def __init__(self) -> None:
        """Raises ContractError."""
        with tempfile.TemporaryDirectory() as folder:
            image = Path(folder) / "contract.binpb"
            output = ["--include_source_info", f"--descriptor_set_out={image}"]
            # Its comments say which HTTP status each gRPC status is.
            protoc(*output, "google/rpc/code.proto")
            files = FileDescriptorSet.FromString(image.read_bytes()).file
        self._comments = dict(_comments(files))
        self._reasons = {reason.name: reason for reason in self._read_reasons()}
        self._require_one_place_for_each_reason()

    def comment(self, full_name: str) -> str:
        """What is written above an element: paragraphs without line breaks."""
        return self._comments[full_name]

    def summary(self, full_name: str) -> str:
        """The first paragraph of that."""
        return self.comment(full_name).partition("\n\n")[0]

    def description(self, field: FieldDescriptor) -> str:
        """The comment of a field, and those of the values that it can have."""
        paragraph = self.comment(field.full_name)
        if field.enum_type is None:
            return paragraph
        values = [f"- `{name}`: {comment}" for name, comment in self.values(field.enum_type)]
        return paragraph + "\n\n" + "\n".join(values)

    def values(self, enum: EnumDescriptor) -> Iterator[tuple[str, str]]:
        """The names of an enum's values, and their comments, without the first: it is for none."""
        for value in enum.values[1:]:
            yield value.name, self.comment(f"{enum.full_name}.{value.name}")

    def reason(self, name: str) -> Reason:
        """The one of this name, which has no prefix."""
        return self._reasons[name]

    def reasons(self, element: MethodDescriptor | ServiceDescriptor) -> list[Reason]:
        """Those that the paragraph "Errors:" of its comment names, of a service for any call."""
        paragraphs = self.comment(element.full_name).split("\n\n")
        errors = "".join(one for one in paragraphs if one.startswith("Errors: "))
        named = {
            name: code
            for code, names in re.findall(r"([A-Z_]+) \((.*?)\)", errors)
            for name in re.findall(r"\b[A-Z_]{2,}\b", names)
        }
        for name, code in named.items():
            if name not in self._reasons or self._reasons[name].code != code:
                raise ContractError(f"{element.name}: ErrorReason has no {name} that is {code}.")
        return [reason for reason in self._reasons.values() if reason.name in named]

    def common_reasons(self) -> list[Reason]:
        """Those that any call can end in."""
        return self.reasons(SERVICE)

    def _require_one_place_for_each_reason(self) -> None:
        """With the service, or with methods. Raises ContractError."""
        of_methods = {reason for method in SERVICE.methods for reason in self.reasons(method)}
        for reason in self._reasons.values():
            if (reason in of_methods) == (reason in self.common_reasons()):
                raise ContractError(
                    f'{reason.name} has to be under "Errors:" of the service or of methods,'
                    " and not of both."
                )

    def _read_reasons(self) -> Iterator[Reason]:
        for name, comment in self.values(pb.ErrorReason.DESCRIPTOR):
            code, meaning = comment.split(": ", 1)
            meaning = meaning[0].upper() + meaning[1:]
            yield Reason(name.removeprefix("ERROR_REASON_"), code, self._http(code), meaning)

    def _http(self, code: str) -> int:
        [status] = re.findall(r"HTTP Mapping: (\d+)", self.comment(f"google.rpc.Code.{code}"))
        return int(status)


def http_rule(method: MethodDescriptor) -> HttpRule:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return HttpRule(verb, getattr(rule, verb), bool(rule.body))


def is_required(field: FieldDescriptor) -> bool:
    behaviour = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviour


def _comments(files: Iterable[FileDescriptorProto]) -> Iterator[tuple[str, str]]:
    for file in files:
        for location in file.source_code_info.location:
            if location.leading_comments:
                yield _full_name(file, location.path), _paragraphs(location.leading_comments)


def _full_name(file: FileDescriptorProto, path: Sequence[int]) -> str:
    """Of the element at this path of field numbers and indices."""
    element: Any = file
    names = [file.package]
    for number, index in zip(path[::2], path[1::2], strict=False):  # that of `package` is odd
        field = element.DESCRIPTOR.fields_by_number[number]
        element = getattr(element, field.name)[index]
        names.append(element.name)
    return ".".join(names)


def _paragraphs(comment: str) -> str:
    lines = [line.strip() for line in comment.strip().splitlines()]
    return re.sub(r"(?<!\n)\n(?!\n)", " ", "\n".join(lines))
