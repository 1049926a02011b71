"""Requests of every form: none is answered as if it were the service that failed."""

import json
from typing import Protocol, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrollment_server.settings import Limits
from tests.gateway.conftest import Call
from tests.support.gateway import Answer, call, raw

# What a program goes by: HTTP, gRPC, reason, violations.
Told: TypeAlias = tuple[int, str, str, dict[str, str]]

NOTHING_HERE: Told = (404, "NOT_FOUND", "", {})


def told(answer: Answer) -> Told:
    refusal = answer.refusal
    return answer.status, refusal.code, refusal.reason, refusal.violations


def malformed(answer: Answer) -> dict[str, str]:
    """The violations that the answer lists."""
    status, code, reason, violations = told(answer)
    assert (status, code, reason) == (400, "INVALID_ARGUMENT", "INVALID_REQUEST")
    return violations


def refused_by_envoy(answer: Answer) -> str:
    """What it says: Envoy knows no field, and stops at the first violation."""
    [(field, description)] = malformed(answer).items()
    assert field == ""
    assert answer.refusal.message == f"The request cannot be read: {description}"
    return description


class TestIds:
    @pytest.mark.parametrize(
        "spelled",
        ["a%2Fb", "%2F", "..%2Fs1", "a%20b", "a+b", "a%25b", "%C3%BC", "%zz", "a%", "x" * 129],
    )
    def test_what_is_no_id_is_told_by_its_field(self, http: Call, spelled: str) -> None:
        both = {"student_id": "is not an id", "course_id": "is not an id"}

        assert malformed(http("DELETE", f"/students/{spelled}/courses/{spelled}")) == both

    def test_an_empty_one_is_missing(self, http: Call) -> None:
        assert malformed(http("GET", "/students//courses")) == {"student_id": "is required"}

    def test_bytes_that_are_no_utf_8_cannot_be_decoded(self, http: Call) -> None:
        assert malformed(http("GET", "/students/%FF/courses")) == {"": "cannot be decoded"}

    def test_a_nul_is_in_no_path(self, http: Call) -> None:
        assert refused_by_envoy(http("GET", "/students/a%00/courses")) == ""

    @pytest.mark.parametrize("dots", [".", "..", "%2E", "%2e%2E"])
    def test_dots_make_other_paths(self, http: Call, student: str, dots: str) -> None:
        assert told(http("GET", f"/students/{dots}/courses")) == NOTHING_HERE
        assert told(http("DELETE", f"/students/{dots}/courses/chess")) == NOTHING_HERE


class TestQueries:
    @pytest.mark.parametrize(
        ("query", "description"),
        [
            ("page_size=abc", 'page_size: invalid value "abc" for type TYPE_INT32'),
            ("page_size=99999999999", 'page_size: invalid value "99999999999" for type TYPE_INT32'),
            ("page_size=1.5", 'page_size: invalid value "1.5" for type TYPE_INT32'),
            ("page_size=", 'page_size: invalid value "" for type TYPE_INT32'),
            ("size=1", 'Could not find field "size" in the type'),
            ("page_size=1&allow_missing=true", 'Could not find field "allow_missing" in the type'),
            ("page_size.x=1", 'Encountered a non-leaf field "page_size"'),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, http: Call, student: str, query: str, description: str
    ) -> None:
        answer = http("GET", f"/students/{student}/courses?{query}")

        assert refused_by_envoy(answer).startswith(description)

    def test_so_is_what_is_neither_true_nor_false(self, http: Call, student: str) -> None:
        answer = http("DELETE", f"/students/{student}/courses/chess?allow_missing=maybe")

        assert "allow_missing" in refused_by_envoy(answer)

    @pytest.mark.parametrize(
        ("method", "path", "query"),
        [
            ("GET", "", "student_id=s1"),
            ("GET", "", "studentId=s1"),
            ("GET", "", "%73tudent_id=s1"),
            ("GET", "", "page_size=1&student%5Fid=s1"),
            ("DELETE", "/chess", "course_id=algebra"),
            ("DELETE", "/chess", "allow_missing=true&student_id"),
            ("POST", "", "student_id=s1"),
            ("POST", "", "course_ids=chess"),
        ],
    )
    def test_an_id_comes_by_the_path_or_the_body_alone(
        self, http: Call, student: str, method: str, path: str, query: str
    ) -> None:
        answer = http(method, f"/students/{student}/courses{path}?{query}", "{}")

        assert refused_by_envoy(answer).startswith("Ids are no query parameters")

    def test_values_may_be_encoded_and_speak_of_ids(self, http: Call, student: str) -> None:
        answer = http("GET", f"/students/{student}/courses?page_size=%32&page_token=student_id%3D")

        assert answer.refusal.reason == "PAGE_TOKEN_INVALID"

    def test_of_a_name_that_is_there_twice_the_last_counts(self, http: Call, student: str) -> None:
        http("POST", f"/students/{student}/courses", '{"course_ids": ["chess", "algebra"]}')

        page = http("GET", f"/students/{student}/courses?page_size=9&page_size=1").json

        assert len(page["courses"]) == 1


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

    def test_unknown_names_are_ignored(self, post: Post) -> None:
        assert post('{"course_ids": ["chess"], "semester": {"year": 2026}}').status == 200

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


class TestMethodsAndPaths:
    @pytest.mark.parametrize(
        "method", ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY"]
    )
    def test_the_path_of_all_courses_names_its_methods(self, http: Call, method: str) -> None:
        answer = http(method, "/students/ada/courses")

        assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST", "HEAD", "OPTIONS", "QUERY"])
    def test_so_does_that_of_one(self, http: Call, method: str) -> None:
        answer = http(method, "/students/ada/courses/chess")

        assert (answer.status, answer.headers["allow"]) == (405, "DELETE")

    @pytest.mark.parametrize(
        "path",
        ["/", "/students", "/students/ada", "//students/ada/courses", "/students/ada/courses/a/b"],
    )
    def test_elsewhere_there_is_nothing(self, http: Call, path: str) -> None:
        assert told(http("GET", path)) == NOTHING_HERE
        assert told(http("QUERY", path)) == NOTHING_HERE

    def test_methods_are_not_called_by_their_grpc_names(self, http: Call) -> None:
        path = "/enrollment.v1.EnrollmentService/ListStudentCourses"

        assert told(http("POST", path, '{"student_id": "ada"}')) == NOTHING_HERE


class TestHeaders:
    @pytest.mark.parametrize(
        "name", ["grpc-encoding", "grpc-previous-rpc-attempts", "grpc-tags-bin", "x-bin"]
    )
    def test_those_of_grpc_mean_nothing(self, http: Call, student: str, name: str) -> None:
        answer = http("GET", f"/students/{student}/courses", headers={name: "nonsense!"})

        assert answer.status == 200

    @pytest.mark.parametrize("timeout", ["nonsense", "", "-1S", "99999999999H"])
    def test_a_deadline_that_is_none_is_ignored(
        self, http: Call, student: str, timeout: str
    ) -> None:
        answer = http("GET", f"/students/{student}/courses", headers={"grpc-timeout": timeout})

        assert answer.status == 200

    def test_what_envoy_takes_the_server_takes(self, http: Call, student: str) -> None:
        """It counts more for a header than Envoy does, and it is sent the path twice."""
        many = {f"h{number:02}": "x" for number in range(90)}

        answer = http("GET", f"/students/{student}/courses?page_token={'x' * 11_000}", headers=many)

        assert told(answer)[2] == "PAGE_TOKEN_INVALID"


words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
segments = st.sampled_from(["students", "s199", "courses", "chess", "%FF", "..", ""]) | words
queries = st.lists(st.sampled_from(["page_size", "page_token", "student_id"]) | words, max_size=3)
headers = st.dictionaries(
    st.from_regex(r"(grpc|x|x-envoy|te)-[a-z]{1,8}(-bin)?", fullmatch=True), words, max_size=3
)


@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    path=st.lists(segments, max_size=5),
    query=queries,
    body=st.none() | st.binary(max_size=50) | st.sampled_from([b'{"course_ids": ["chess"]}']),
    headers=headers,
)
@settings(max_examples=150, deadline=None)
def test_whatever_it_is_it_was_not_the_service_that_failed(
    address: str,
    method: str,
    path: list[str],
    query: list[str],
    body: bytes | None,
    headers: dict[str, str],
) -> None:
    url = f"/{'/'.join(path)}?{'=1&'.join(query)}"

    answer = call(address, method, url, body, headers)

    assert answer.status == 200 or (answer.status < 500 and answer.refusal)
