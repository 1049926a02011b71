"""Python client of the enrolment service: which courses a student takes.

    from enrollment import EnrollmentClient

    with EnrollmentClient("localhost:50051") as client:
        for taken in client.list_student_courses("s-10001"):
            print(taken.course.title)

The generated messages and stub are in `enrollment.v1.enrollment_pb2` and
`enrollment.v1.enrollment_pb2_grpc`.
"""

from enrollment._client import EnrollmentClient, StudentCourses
from enrollment._errors import (
    Aborted,
    Cancelled,
    CourseNotAssociated,
    CourseNotFound,
    DeadlineExceeded,
    EnrollmentError,
    Internal,
    InvalidArgument,
    NotFound,
    PageTokenInvalid,
    PermissionDenied,
    ResourceExhausted,
    StudentNotFound,
    Unauthenticated,
    Unavailable,
    Violation,
)
from enrollment._settings import Keepalive, RetryPolicy, Tls
from enrollment._types import Course, CourseAssociation, Outcome, Page, StudentCourse

__all__ = [
    "Aborted",
    "Cancelled",
    "Course",
    "CourseAssociation",
    "CourseNotAssociated",
    "CourseNotFound",
    "DeadlineExceeded",
    "EnrollmentClient",
    "EnrollmentError",
    "Internal",
    "InvalidArgument",
    "Keepalive",
    "NotFound",
    "Outcome",
    "Page",
    "PageTokenInvalid",
    "PermissionDenied",
    "ResourceExhausted",
    "RetryPolicy",
    "StudentCourse",
    "StudentCourses",
    "StudentNotFound",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "Violation",
]
