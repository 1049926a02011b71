"""The client."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Self, TypeAlias, TypeVar
from urllib.parse import quote

import grpc

from enrollment import _types
from enrollment._errors import from_rpc_error
from enrollment._settings import (
    DEFAULT_KEEPALIVE,
    DEFAULT_RETRY,
    Keepalive,
    RetryPolicy,
    Tls,
    channel_options,
    is_local,
)
from enrollment._types import CourseAssociation, Page, StudentCourse
from enrollment.v1 import enrollment_pb2 as pb
from enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]

_REQUEST_ID = "x-request-id"
_STUDENT_ID = "x-student-id"
_LONGEST_ID = 128  # of a student: what is longer is refused, and its metadata must not be first


class _AboutAStudent(Protocol):
    student_id: str


_Request = TypeVar("_Request", bound=_AboutAStudent)
_Response = TypeVar("_Response")


class StudentCourses:
    """A student's courses, fetched a page at a time as they are iterated over.

    Each iteration starts from the first page. Nothing is fetched, and so nothing raised,
    before it.
    """

    def __init__(self, fetch: Callable[[str], Page], page_token: str) -> None:
        self._fetch = fetch
        self._page_token = page_token

    def __iter__(self) -> Iterator[StudentCourse]:
        for page in self.pages:
            yield from page.courses

    @property
    def pages(self) -> Iterator[Page]:
        """The pages, as the server gives them."""
        page = self._fetch(self._page_token)
        yield page
        while page.next_page_token:
            page = self._fetch(page.next_page_token)
            yield page


class EnrollmentClient:
    """Calls the enrolment service; safe to share between threads.

        with EnrollmentClient("localhost:50051") as client:
            client.associate_courses("s-10001", ["cs-310"])

    `target` is an address, or a channel of your own: then it stays open when the client is
    closed, and `retry` has no effect, since retries are a matter of the channel.
    `timeout`, in seconds, is that of every call that does not name its own; a call that
    takes longer raises DeadlineExceeded. `retry` of None turns retries off.

    `tls` encrypts; without it the channel speaks plain text. `token` is asked for a bearer
    token before every call: let it return one that it keeps, until it is about to expire.
    Raises ValueError rather than sending tokens to another machine in plain text.

    With `wait_for_ready`, a call waits for a server to be reached, up to its timeout, where
    it would else fail as soon as the retries are used up.

    Each call carries an id of its own, by which it is found in the server's log, and which
    every EnrollmentError has as `request_id`; `metadata` with `x-request-id` names another.
    It carries the student's id as `x-student-id`, percent-encoded, so that a proxy can send
    all calls about one student to the same server.

    Every method takes `timeout`, and `metadata` to send along, and raises a subclass of
    EnrollmentError; `Unavailable`, `DeadlineExceeded`, `Aborted`, `ResourceExhausted` and
    `InvalidArgument` can come of any.
    """

    def __init__(
        self,
        target: str | grpc.Channel,
        *,
        timeout: float = 10.0,
        retry: RetryPolicy | None = DEFAULT_RETRY,
        tls: Tls | None = None,
        token: Callable[[], str] | None = None,
        keepalive: Keepalive = DEFAULT_KEEPALIVE,
        wait_for_ready: bool = False,
    ) -> None:
        self._owns_channel = isinstance(target, str)
        if isinstance(target, str):
            if token is not None and tls is None and not is_local(target):
                raise ValueError("a token would go to another machine in plain text: give tls")
            self._channel = _channel(target, tls, channel_options(retry, keepalive))
        else:
            self._channel = target
        self._timeout = timeout
        self._token = token
        # Not as False: the channel of grpcio-testing knows no such option.
        self._call_options: dict[str, Any] = {"wait_for_ready": True} if wait_for_ready else {}
        self.stub = EnrollmentServiceStub(self._channel)
        """The generated stub, on this client's channel."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel, unless it was given; calls in flight are cancelled."""
        if self._owns_channel:
            self._channel.close()

    def associate_courses(
        self,
        student_id: str,
        course_ids: Sequence[str],
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
    ) -> list[CourseAssociation]:
        """Associate a student with 1 to 100 courses: all of them or, on any error, none.

        Returns one association for each distinct id, in the order in which each is first
        asked for. Safe to repeat.

        Raises StudentNotFound, and CourseNotFound naming every unknown course.
        """
        if isinstance(course_ids, str):
            raise TypeError("course_ids is a sequence of ids, not one id")
        request = pb.AssociateCoursesRequest(student_id=student_id, course_ids=course_ids)
        response = self._call(self.stub.AssociateCourses, request, timeout, metadata)
        return [_types.association(message) for message in response.associations]

    def list_student_courses(
        self,
        student_id: str,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
        metadata: Metadata | None = None,
    ) -> StudentCourses:
        """The courses of a student, ordered by id; iterate over them, or over `.pages`.

        `page_size` is the most courses of a page, at most 1000; 0 leaves it to the server.
        `page_token` starts at a page of an earlier list of the same student. `timeout` is
        that of each page.

        Iterating raises StudentNotFound and PageTokenInvalid.
        """

        def fetch(token: str) -> Page:
            request = pb.ListStudentCoursesRequest(
                student_id=student_id, page_size=page_size, page_token=token
            )
            return _types.page(self._call(self.stub.ListStudentCourses, request, timeout, metadata))

        return StudentCourses(fetch, page_token)

    def remove_course(
        self,
        student_id: str,
        course_id: str,
        *,
        allow_missing: bool = False,
        timeout: float | None = None,
        metadata: Metadata | None = None,
    ) -> bool:
        """Remove a course from a student; returns whether this call did.

        It is False only with `allow_missing`. A call that is retried, by this client or by
        you, may meet its own first attempt: then the course is missing already.

        Raises StudentNotFound, and CourseNotAssociated unless `allow_missing`.
        """
        request = pb.RemoveCourseRequest(
            student_id=student_id, course_id=course_id, allow_missing=allow_missing
        )
        return self._call(self.stub.RemoveCourse, request, timeout, metadata).removed

    def _call(
        self,
        method: "grpc.UnaryUnaryMultiCallable[_Request, _Response]",
        request: _Request,
        timeout: float | None,
        metadata: Metadata | None,
    ) -> _Response:
        sent = list(metadata or ())
        request_id = next((str(value) for key, value in sent if key == _REQUEST_ID), "")
        if not request_id:
            request_id = uuid.uuid4().hex
            sent.append((_REQUEST_ID, request_id))
        sent.append((_STUDENT_ID, quote(request.student_id[:_LONGEST_ID], safe=":~")))
        if self._token is not None:
            sent.append(("authorization", f"Bearer {self._token()}"))
        try:
            return method(
                request,
                timeout=self._timeout if timeout is None else timeout,
                metadata=tuple(sent),
                **self._call_options,
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error, request_id) from error


def _channel(
    target: str, tls: Tls | None, options: Sequence[tuple[str, str | int]]
) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, tls.credentials(), options)
