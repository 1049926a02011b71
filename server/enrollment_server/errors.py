"""Every refusal that the service gives its callers, as exceptions.

    EnrollmentError
    ├── Unauthenticated
    ├── PermissionDenied
    ├── InvalidRequest
    │   └── PageTokenInvalid
    ├── StudentNotFound
    ├── CourseNotFound
    ├── CourseNotAssociated
    ├── DatabaseUnavailable
    ├── DeadlineExceeded
    ├── Conflict
    ├── Overloaded
    └── ShuttingDown

Each has the `reason` that the contract publishes as `ErrorReason`, a message for people,
and `metadata` with the values that the message speaks of. Which gRPC status each becomes
is decided in `enrollment_server.rpc.errors`, and nowhere else.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class Violation(NamedTuple):
    """One thing wrong with a request: where (a field path of the contract) and what."""

    field: str
    description: str


class EnrollmentError(Exception):
    """A call that cannot be answered OK."""

    reason: ClassVar[str]

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class Unauthenticated(EnrollmentError):
    """It is not known who calls; the message says what is missing."""

    reason = "UNAUTHENTICATED"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class PermissionDenied(EnrollmentError):
    """The caller is known, and may not do this."""

    reason = "PERMISSION_DENIED"

    def __init__(self, role: str) -> None:
        super().__init__(f"Only a {role} may do this.", role=role)


class InvalidRequest(EnrollmentError):
    """The request is malformed; `violations` lists everything that is wrong with it."""

    reason = "INVALID_REQUEST"

    def __init__(self, message: str, violations: Sequence[Violation]) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class PageTokenInvalid(InvalidRequest):
    """The page token was altered, or belongs to another student."""

    reason = "PAGE_TOKEN_INVALID"

    def __init__(self) -> None:
        message = "page_token is not one that this service gave for this student."
        super().__init__(message, [Violation("page_token", "not a token of this student's pages")])


class StudentNotFound(EnrollmentError):
    """There is no such student."""

    reason = "STUDENT_NOT_FOUND"

    def __init__(self, student_id: str) -> None:
        super().__init__(f"There is no student {student_id}.", student_id=student_id)


class CourseNotFound(EnrollmentError):
    """There are no such courses; `metadata` names every one of them."""

    reason = "COURSE_NOT_FOUND"

    # The message names only so many: the status must fit in a client's metadata limit,
    # and the metadata has them all.
    NAMED = 3

    def __init__(self, course_ids: Sequence[str]) -> None:
        named, more = course_ids[: self.NAMED], len(course_ids) - self.NAMED
        listed = ", ".join(named) + (f" and {more} more" if more > 0 else "")
        there_is = "There is no course" if len(course_ids) == 1 else "There are no courses"
        super().__init__(f"{there_is} {listed}.", course_ids=",".join(course_ids))


class CourseNotAssociated(EnrollmentError):
    """The student does not take the course."""

    reason = "COURSE_NOT_ASSOCIATED"

    def __init__(self, student_id: str, course_id: str) -> None:
        super().__init__(
            f"Student {student_id} does not take course {course_id}.",
            student_id=student_id,
            course_id=course_id,
        )


class DatabaseUnavailable(EnrollmentError):
    """The database cannot be reached, or has no connection to spare."""

    reason = "DATABASE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("The database is not available; try again after a pause.")


class DeadlineExceeded(EnrollmentError):
    """The caller's time was over, or too short to begin; nothing was written."""

    reason = "DEADLINE_EXCEEDED"

    def __init__(self) -> None:
        super().__init__("The time was too short; nothing was done.")


class Conflict(EnrollmentError):
    """Concurrent calls got in each other's way, and retries did not settle it."""

    reason = "CONFLICT"

    def __init__(self) -> None:
        super().__init__("Concurrent changes got in the way; try again.")


class Locked(Exception):
    """Others have locked what was needed, for a while now. It is tried again; no caller is told."""


class Overloaded(EnrollmentError):
    """More calls wait than the server lets; this one was refused before any work."""

    reason = "OVERLOADED"

    def __init__(self) -> None:
        super().__init__("The server has more calls than it can take; try again after a pause.")


class ShuttingDown(EnrollmentError):
    """The server is about to stop; this call was refused before any work."""

    reason = "SHUTTING_DOWN"

    def __init__(self) -> None:
        super().__init__("This server is about to stop; try again, on another.")
