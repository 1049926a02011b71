"""Requests of any bytes, through a real port: an answer from the contract, and nothing else.

What is answered OK is what a dictionary would do; what is refused changes nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import grpc
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, text

from enrollment.v1 import enrollment_pb2 as pb
from enrollment_server.db import backends
from tests.conformance.conftest import COURSES, EXECUTABLE
from tests.support.rows import insert_students_and_courses
from tests.support.serving import Server, serving_process
from tests.support.statuses import refusal

SERVICE = "enrollment.v1.EnrollmentService"
REQUESTS: dict[str, Any] = {
    "AssociateCourses": pb.AssociateCoursesRequest,
    "ListStudentCourses": pb.ListStudentCoursesRequest,
    "RemoveCourse": pb.RemoveCourseRequest,
}
# By method: what a caller can be told that has done something wrong.
REFUSALS = {
    "AssociateCourses": {"INVALID_REQUEST", "STUDENT_NOT_FOUND", "COURSE_NOT_FOUND"},
    "ListStudentCourses": {"INVALID_REQUEST", "PAGE_TOKEN_INVALID", "STUDENT_NOT_FOUND"},
    "RemoveCourse": {"INVALID_REQUEST", "STUDENT_NOT_FOUND", "COURSE_NOT_ASSOCIATED"},
}

NASTY = [
    "",
    "\0",
    "ada\0",
    "' OR '1'='1",
    '"; DROP TABLE students; --',
    "%",
    "_",
    "\\",
    "\n",
    "\x7f",
    "\x1b[31m",
    "é",
    "e\u0301",  # combining
    "\u202eada",  # right to left
    "\uff21\uff24\uff21",  # full width
    "\U0001f4a9",
    "a" * 128,
    "a" * 129,
    "a" * 1000,
    "{}",
    "{a,b}",
    "../..",
    "ADA",
    "ada ",
]
TOKENS = ["ARJGi0w4y_LfY2hlc3M", "ARJGi0w4y_LfY2hlc3M" * 20, "ARJG", "A" * 1000]

ids = st.one_of(
    st.sampled_from(["ada", "bob", *COURSES]),
    st.sampled_from(NASTY),
    st.from_regex(r"[A-Za-z0-9._~:-]{1,128}", fullmatch=True),
    st.text(max_size=40),
)
course_ids = st.one_of(
    st.lists(ids, max_size=12),
    st.tuples(ids, st.sampled_from([99, 100, 101])).map(lambda some: [some[0]] * some[1]),
    st.just([f"c{number}" for number in range(100)]),
)
page_tokens = st.one_of(st.just(""), st.sampled_from(TOKENS), st.text(max_size=60))
messages = st.one_of(
    st.builds(pb.AssociateCoursesRequest, student_id=ids, course_ids=course_ids),
    st.builds(
        pb.ListStudentCoursesRequest,
        student_id=ids,
        page_size=st.integers(-(2**31), 2**31 - 1),
        page_token=page_tokens,
    ),
    st.builds(pb.RemoveCourseRequest, student_id=ids, course_id=ids, allow_missing=st.booleans()),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message with some of its bytes cut out, and others put in."""
    encoded = draw(messages).SerializeToString()[:20_000]
    start = draw(st.integers(0, len(encoded)))
    end = draw(st.integers(start, min(len(encoded), start + 20)))
    return encoded[:start] + draw(st.binary(max_size=20)) + encoded[end:]


requests = st.one_of(
    messages.map(lambda message: message.SerializeToString()),
    damaged(),
    st.binary(max_size=200),
)
# gRPC's own client sends no other names, and no other values of those that are not binary.
names = st.from_regex(r"[0-9a-z_.-]{1,30}", fullmatch=True).map("x-{}".format)
metadata = st.lists(
    st.one_of(
        st.tuples(
            names.filter(lambda name: not name.endswith("-bin")),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300),
        ),
        st.tuples(names.map("{}-bin".format), st.binary(max_size=300)),
    ),
    max_size=3,
)

Caller: TypeAlias = Callable[[str, bytes, Any], tuple[grpc.StatusCode, str]]


@pytest.fixture
def server(url: URL) -> Iterator[Server]:
    insert_students_and_courses(url, *COURSES)
    with serving_process(EXECUTABLE, url) as server:
        yield server


@pytest.fixture
def call(server: Server) -> Iterator[Caller]:
    """Sends bytes to a method; returns the status and the reason."""
    # So that what the service says of a hundred long ids arrives.
    options = [("grpc.max_metadata_size", 64 * 1024)]
    with grpc.insecure_channel(server.address, options) as channel:
        methods: dict[str, Any] = {
            name: channel.unary_unary(f"/{SERVICE}/{name}") for name in REQUESTS
        }

        def call(method: str, encoded: bytes, sent: Any) -> tuple[grpc.StatusCode, str]:
            try:
                methods[method](encoded, timeout=20, metadata=sent)
            except grpc.RpcError as raised:
                error: Any = raised
                told = refusal(error.code(), error.details(), error.trailing_metadata())
                return error.code(), told.reason
            return grpc.StatusCode.OK, ""

        yield call


def memory(server: Server) -> int:
    """What the server's process keeps, in bytes."""
    return int(psutil.Process(server.process.pid).memory_info().rss)


def table(url: URL) -> tuple[set[tuple[str, str]], int, int]:
    """The associations, and how many students and courses there are."""
    engine = backends.create_engine(url)
    with engine.connect() as connection:
        pairs = connection.execute(text("SELECT student_id, course_id FROM student_courses"))
        return (
            {(student, course) for student, course in pairs},
            int(connection.scalar(text("SELECT count(*) FROM students")) or 0),
            int(connection.scalar(text("SELECT count(*) FROM courses")) or 0),
        )


def test_any_bytes_have_an_answer_from_the_contract(
    url: URL, server: Server, call: Caller, soak: bool
) -> None:
    examples = 100_000 if soak else 300
    expected, students, courses = table(url)
    sizes: list[int] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=not soak,
        suppress_health_check=list(HealthCheck),
    )
    @given(method=st.sampled_from(sorted(REQUESTS)), encoded=requests, sent=metadata)
    def send(method: str, encoded: bytes, sent: Any) -> None:
        code, reason = call(method, encoded, sent)
        sizes.append(memory(server))
        if code is not grpc.StatusCode.OK:
            assert reason in REFUSALS[method]
            return
        request = REQUESTS[method].FromString(encoded)
        if method == "AssociateCourses":
            expected.update((request.student_id, course) for course in request.course_ids)
        elif method == "RemoveCourse":
            expected.discard((request.student_id, request.course_id))

    send()

    assert table(url) == (expected, students, courses)
    assert len(sizes) >= examples
    settled, end = max(sizes[: len(sizes) // 4]), max(sizes[-len(sizes) // 4 :])
    assert end < settled + 8 * 2**20, (settled, end)
