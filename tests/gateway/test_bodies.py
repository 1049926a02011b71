"""Bodies of every form: what is none of the contract is refused."""

import json
import socket
import struct
from typing import Protocol

import pytest

from enrollment_server.settings import Limits
from tests.gateway.conftest import Call
from tests.gateway.told import malformed, refused_by_envoy
from tests.support.gateway import JSON, Answer, raw


class Post(Protocol):
    """Sends a body to the courses of a student."""

    def __call__(self, body: bytes | str, headers: dict[str, str] | None = None) -> Answer: ...


class TestBodies:
    @pytest.fixture
    def post(self, http: Call, student: str) -> Post:
        def post(body: bytes | str, headers: dict[str, str] | None = None) -> Answer:
            return http("POST", f"/students/{student}/courses", body, headers)

        return post

    def test_everything_that_is_wrong_is_listed(self, http: Call) -> None:
        answer = http("POST", "/students/a%2Fb/courses", '{"course_ids": ["", "chess", "a b"]}')

        assert malformed(answer) == {
            "student_id": "is not an id",
            "course_ids[0]": "is required",
            "course_ids[2]": "is not an id",
        }

    @pytest.mark.parametrize("body", ["", "{}", '{"course_ids": []}', '{"course_ids": null}'])
    def test_courses_are_required(self, post: Post, body: str) -> None:
        assert malformed(post(body)) == {"course_ids": "is required"}

    @pytest.mark.parametrize(
        ("body", "description"),
        [
            (b"nonsense", "Unexpected token."),
            (b" ", "Unexpected end of string."),
            (b'{"course_ids": ["chess"', "Unexpected end of string."),
            (b'{"course_ids": ["chess"]}{}', "Parsing terminated before end of input."),
            (b'{"course_ids": ["\xff"]}', "Encountered non UTF-8 code points."),
            (b'{"course_ids": ["\\ud800"]}', "Missing low surrogate."),
            (b"[]", ": Root element must be a message."),
            (b"null", ": Root element must be a message."),
            (b'{"course_ids": [1]}', "course_ids[0]: invalid value 1 for type TYPE_STRING"),
            (b'{"course_ids": {"a": 1}}', ": invalid value Starting an object on a scalar field"),
            (b'{"student_id": "bob"}', 'The binding value "s'),
            (b'{"a":' + b"[" * 100_000, "Message too deep."),
        ],
        ids=lambda value: str(value[:30]),
    )
    def test_what_is_not_json_of_the_contract_is_refused(
        self, post: Post, body: bytes, description: str
    ) -> None:
        assert refused_by_envoy(post(body)).startswith(description)

    @pytest.mark.parametrize(
        "body",
        [
            "{'course_ids': ['chess']}",
            '{course_ids: ["chess"]}',
            '{"course_ids": ["chess",],}',
            '{"course_ids": "chess"}',
            '{"course_ids": [["chess"], null]}',
        ],
    )
    def test_what_is_nearly_json_is_read(self, post: Post, body: str) -> None:
        assert [one["course_id"] for one in post(body).json["associations"]] == ["chess"]

    def test_unknown_names_are_ignored(self, post: Post) -> None:
        assert post('{"course_ids": ["chess"], "semester": {"year": 2026}}').status == 200

    @pytest.mark.parametrize(
        ("ids", "whose"),
        [
            ('"student_id": "bob"', None),
            ('"student_id": "ada"', "ada"),
            ('"studentId": "bob"', "ada"),
            ('"studentId": "bob", "student_id": "ada"', "ada"),
            ('"student_id": "bob", "student_id": "ada"', None),
            ('"student_id": "ada", "student_id": "bob"', "bob"),
            ('"student_id": "ada", "studentId": "bob"', "bob"),
        ],
    )
    def test_it_is_the_student_of_the_path_unless_another_is_named_after_that(
        self, http: Call, ids: str, whose: str | None
    ) -> None:
        http("POST", "/students/ada/courses", f'{{"course_ids": ["chess"], {ids}}}')

        removed = {
            student: http("DELETE", f"/students/{student}/courses/chess").status == 200
            for student in ("ada", "bob")
        }

        assert removed == {"ada": whose == "ada", "bob": whose == "bob"}

    def test_a_list_that_is_there_twice_is_one(self, post: Post) -> None:
        answer = post('{"course_ids": ["chess"], "course_ids": ["algebra"]}')

        assert [one["course_id"] for one in answer.json["associations"]] == ["chess", "algebra"]

    def test_one_may_have_as_much_as_a_server_takes(self, post: Post) -> None:
        most = Limits.request_size
        body = json.dumps({"course_ids": ["chess"], "padding": ""}).encode()

        assert post(body.replace(b'""', b'"%s"' % (b"x" * (most - len(body))))).status == 200
        assert post(body + b" " * (most + 1 - len(body))).status == 413

    @pytest.mark.parametrize(
        "name", ["application/json; charset=utf-8", "Application/JSON", "application/json;"]
    )
    def test_json_may_say_so_in_any_way(self, post: Post, name: str) -> None:
        assert post('{"course_ids": ["chess"]}', {"content-type": name}).status == 200

    @pytest.mark.parametrize(
        "name", ["text/plain", "application/x-www-form-urlencoded", "application/jsonl", ""]
    )
    def test_what_says_that_it_is_something_else_is_not_read(self, post: Post, name: str) -> None:
        answer = post('{"course_ids": ["chess"]}', {"content-type": name})

        assert (answer.status, answer.refusal.reason) == (415, "INVALID_REQUEST")

    def test_nor_is_what_says_nothing(self, address: str, student: str) -> None:
        head = f"POST /students/{student}/courses HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"

        assert raw(address, head.encode() + b"{}").status == 415

    def test_one_may_come_in_chunks(self, address: str, student: str) -> None:
        head = (
            f"POST /students/{student}/courses HTTP/1.1\r\nhost: x\r\n"
            "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        chunks = b'f\r\n{"course_ids": \r\na\r\n["chess"]}\r\n0\r\n\r\n'

        assert raw(address, head.encode() + chunks).status == 200


class TestWhereThereIsNone:
    """The path alone says what is read or removed: what a body says would count instead."""

    BODY = '{"student_id": "ada", "course_id": "x", "student_id": "bob", "course_id": "chess"}'
    NONE = "GET and DELETE have no body."

    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", "/x")])
    @pytest.mark.parametrize("kind", [JSON, "text/plain", "application/grpc-web+json", ""])
    def test_one_is_refused(self, http: Call, method: str, path: str, kind: str) -> None:
        headers = {"content-type": kind}

        answer = http(method, f"/students/ada/courses{path}", self.BODY, headers)

        assert refused_by_envoy(answer) == self.NONE

    def test_so_is_one_in_chunks(self, address: str) -> None:
        head = "DELETE /students/ada/courses/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked"
        chunks = f"{len(self.BODY):x}\r\n{self.BODY}\r\n0\r\n\r\n"

        answer = raw(address, f"{head}\r\n\r\n{chunks}".encode())

        assert refused_by_envoy(answer) == self.NONE

    def test_so_is_one_that_http_2_has_told_no_length_of(self, address: str) -> None:
        body = self.BODY.encode()

        assert http2_status(address, "DELETE", "/students/ada/courses/x", body) == 400

    def test_an_empty_one_is_none(self, address: str, student: str) -> None:
        head = f"GET /students/{student}/courses HTTP/1.1\r\nhost: x"

        for empty in ("content-length: 0\r\n\r\n", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"):
            assert raw(address, f"{head}\r\n{empty}".encode()).status == 200


def http2_status(address: str, method: str, path: str, body: bytes) -> int:
    """The status of the answer to a request whose body is one frame, and its end."""
    headers = {":method": method, ":scheme": "http", ":authority": "x", ":path": path}
    fields = b"".join(
        b"\0%c%b%c%b" % (len(name), name.encode(), len(value), value.encode())
        for name, value in headers.items()
    )
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=30) as connection,
        connection.makefile("rb") as received,
    ):
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS))
        connection.sendall(frame(HEADERS, END_HEADERS, fields) + frame(DATA, END_STREAM, body))
        while True:
            size, kind, _, _ = struct.unpack(">xHBBI", received.read(9))
            content = received.read(size)
            if kind == HEADERS:
                return STATUSES[content[0]]


DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
STATUSES = {0x88: 200, 0x8C: 400, 0x8D: 404}  # as HPACK has them in its table


def frame(kind: int, flags: int = 0, content: bytes = b"") -> bytes:
    stream = 0 if kind == SETTINGS else 1
    return struct.pack(">xHBBI", len(content), kind, flags, stream) + content
