"""Requests of every form: none is answered as if it were the service that failed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.conftest import Call
from tests.gateway.told import NOTHING_HERE, malformed, refused_by_envoy, told
from tests.support.gateway import call, raw


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

    @pytest.mark.parametrize("path", ["/students/a%00/courses", "/students/a#/courses", "/?x=#"])
    def test_there_is_what_is_in_no_path(self, http: Call, path: str) -> None:
        assert refused_by_envoy(http("GET", path)) == "The path has a NUL, or a #."

    @pytest.mark.parametrize("dots", [".", "..", "%2E", "%2e%2E"])
    def test_dots_make_other_paths(self, http: Call, student: str, dots: str) -> None:
        assert told(http("GET", f"/students/{dots}/courses")) == NOTHING_HERE
        assert told(http("DELETE", f"/students/{dots}/courses/chess")) == NOTHING_HERE

    @pytest.mark.parametrize("dot", [".", "%2E"])
    def test_a_dot_for_a_course_is_the_path_of_all(self, http: Call, dot: str) -> None:
        answer = http("DELETE", f"/students/ada/courses/{dot}")

        assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


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
        body = "{}" if method == "POST" else None

        answer = http(method, f"/students/{student}/courses{path}?{query}", body)

        assert refused_by_envoy(answer).startswith("Ids are no query parameters")

    @pytest.mark.parametrize("query", ["", "&", "page_size", "size", "=1"])
    def test_what_has_no_name_or_no_value_is_ignored(
        self, http: Call, student: str, query: str
    ) -> None:
        assert http("GET", f"/students/{student}/courses?{query}").status == 200

    def test_values_may_be_encoded_and_speak_of_ids(self, http: Call, student: str) -> None:
        answer = http("GET", f"/students/{student}/courses?page_size=%32&page_token=student_id%3D")

        assert answer.refusal.reason == "PAGE_TOKEN_INVALID"

    def test_of_a_name_that_is_there_twice_the_last_counts(self, http: Call, student: str) -> None:
        http("POST", f"/students/{student}/courses", '{"course_ids": ["chess", "algebra"]}')

        page = http("GET", f"/students/{student}/courses?page_size=9&page_size=1").json

        assert len(page["courses"]) == 1


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


class TestWhatIsNoHttpHere:
    @pytest.mark.parametrize(
        "request_line", ["FOO /students/ada/courses", "get /students/ada/courses", "GET courses"]
    )
    def test_it_may_break_the_rules(self, address: str, request_line: str) -> None:
        answer = raw(address, f"{request_line} HTTP/1.1\r\nhost: x\r\n\r\n".encode())

        assert refused_by_envoy(answer).startswith("It breaks the rules of HTTP")

    def test_it_may_name_no_host(self, address: str) -> None:
        answer = raw(address, b"GET /students/ada/courses HTTP/1.1\r\n\r\n")

        assert refused_by_envoy(answer) == "It names no host."

    def test_it_may_be_of_another_age(self, address: str) -> None:
        answer = raw(address, b"GET /students/ada/courses HTTP/1.0\r\n\r\n")

        assert answer.status == 426
        assert "It is HTTP/1.0" in answer.refusal.message

    def test_it_may_want_to_be_something_else(self, http: Call) -> None:
        websocket = {"connection": "upgrade", "upgrade": "websocket"}

        answer = http("GET", "/students/ada/courses", headers=websocket)

        assert answer.status == 403
        assert "WebSocket" in answer.refusal.message


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

    def test_there_may_be_a_hundred(self, http: Call, student: str) -> None:
        path = f"/students/{student}/courses"
        many = {f"h{number}": "x" for number in range(98)}  # besides host and accept-encoding

        assert http("GET", path, headers=many).status == 200
        assert http("GET", path, headers={**many, "one-more": "x"}).status == 431

    def test_they_have_to_come_in_time(self, address: str) -> None:
        assert raw(address, b"GET / HTTP/1.1\r\nhost: x\r\n").status == 408

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
