"""Whether a request is well formed: every violation at once, and no database asked."""

from enrollment.v1 import enrollment_pb2 as pb
from enrollment_server.domain import ID_RULE, is_id
from enrollment_server.errors import InvalidRequest, PageTokenInvalid, Violation
from enrollment_server.rpc import page_token

MAX_COURSE_IDS = 100

# A status must fit in the 8 KiB of metadata that gRPC clients take. Its details list the
# violations of any request of a legal size; its message names a few.
_LISTED = MAX_COURSE_IDS + 2
_NAMED = 3


def check_associate(request: pb.AssociateCoursesRequest) -> None:
    """Raises InvalidRequest."""
    violations = _id_violations("student_id", request.student_id)
    count = len(request.course_ids)
    if count == 0:
        violations.append(Violation("course_ids", "is required"))
    elif count > MAX_COURSE_IDS:
        violations.append(Violation("course_ids", f"has {count} ids, more than {MAX_COURSE_IDS}"))
    for index, course_id in enumerate(request.course_ids):
        violations += _id_violations(f"course_ids[{index}]", course_id)
    _refuse(violations)


def check_list(request: pb.ListStudentCoursesRequest) -> str:
    """The course id after which the page starts. Raises InvalidRequest, PageTokenInvalid."""
    violations = _id_violations("student_id", request.student_id)
    if request.page_size < 0:
        violations.append(Violation("page_size", "is negative"))
    try:
        after = page_token.decode(request.student_id, request.page_token)
    except PageTokenInvalid as error:
        if not violations:
            raise
        violations += error.violations
    _refuse(violations)
    return after


def check_remove(request: pb.RemoveCourseRequest) -> None:
    """Raises InvalidRequest."""
    _refuse(
        _id_violations("student_id", request.student_id)
        + _id_violations("course_id", request.course_id)
    )


def _id_violations(field: str, value: str) -> list[Violation]:
    if is_id(value):
        return []
    # The value itself is not repeated: it may be anything.
    return [Violation(field, "is not an id" if value else "is required")]


def _refuse(violations: list[Violation]) -> None:
    if not violations:
        return
    named = ", ".join(f"{field} {what}" for field, what in violations[:_NAMED])
    more = len(violations) - _NAMED
    rule = f" ({ID_RULE})" if any(v.description == "is not an id" for v in violations) else ""
    raise InvalidRequest(
        f"{named}{f' and {more} more' if more > 0 else ''}{rule}.", violations[:_LISTED]
    )
