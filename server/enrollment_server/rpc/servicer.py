"""The servicer: decode, validate, call the service, encode."""

from datetime import UTC, datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from enrollment.v1 import enrollment_pb2 as pb
from enrollment.v1 import enrollment_pb2_grpc as pb_grpc
from enrollment_server.domain import Association, StudentCourse
from enrollment_server.rpc import page_token, validation
from enrollment_server.rpc.deadlines import deadline_of
from enrollment_server.rpc.errors import answers
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Limits

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_A_DAY = 24 * 60 * 60


class EnrollmentServicer(pb_grpc.EnrollmentServiceServicer):
    """`enrollment.v1.EnrollmentService`; the contract says what each method does.

    A call that comes without a deadline is given `default_timeout`, in seconds.
    """

    def __init__(
        self, service: AssociationService, *, default_timeout: float = Limits.default_timeout
    ) -> None:
        self._service = service
        self._default_timeout = default_timeout

    @answers(pb.AssociateCoursesResponse)
    async def AssociateCourses(
        self, request: pb.AssociateCoursesRequest, context: grpc.ServicerContext
    ) -> pb.AssociateCoursesResponse:
        validation.check_associate(request)
        associations = await self._service.associate_student_with_courses(
            request.student_id,
            request.course_ids,
            deadline=deadline_of(context, self._default_timeout),
        )
        response = pb.AssociateCoursesResponse()
        for association in associations:
            _fill_association(response.associations.add(), association)
        return response

    @answers(pb.ListStudentCoursesResponse)
    async def ListStudentCourses(
        self, request: pb.ListStudentCoursesRequest, context: grpc.ServicerContext
    ) -> pb.ListStudentCoursesResponse:
        after = validation.check_list(request)
        page = await self._service.get_student_courses(
            request.student_id,
            request.page_size,
            after,
            deadline=deadline_of(context, self._default_timeout),
        )
        response = pb.ListStudentCoursesResponse()
        for taken in page.courses:
            _fill_course(response.courses.add(), taken)
        if page.next_after:
            response.next_page_token = page_token.encode(request.student_id, page.next_after)
        return response

    @answers(pb.RemoveCourseResponse)
    async def RemoveCourse(
        self, request: pb.RemoveCourseRequest, context: grpc.ServicerContext
    ) -> pb.RemoveCourseResponse:
        validation.check_remove(request)
        removed = await self._service.remove_student_course(
            request.student_id,
            request.course_id,
            allow_missing=request.allow_missing,
            deadline=deadline_of(context, self._default_timeout),
        )
        return pb.RemoveCourseResponse(removed=removed)


# Messages are filled in their place: those that are made first and copied take twice as long.


def _fill_association(message: pb.CourseAssociation, association: Association) -> None:
    message.course_id = association.course_id
    message.outcome = (
        pb.CourseAssociation.OUTCOME_CREATED
        if association.created
        else pb.CourseAssociation.OUTCOME_ALREADY_ASSOCIATED
    )
    _fill_timestamp(message.create_time, association.create_time)


def _fill_course(message: pb.StudentCourse, taken: StudentCourse) -> None:
    message.course.id = taken.course.id
    message.course.code = taken.course.code
    message.course.title = taken.course.title
    _fill_timestamp(message.create_time, taken.create_time)


def _fill_timestamp(message: Timestamp, time: datetime) -> None:
    # By its parts: a float of seconds would lose the last microsecond.
    since = time - _EPOCH
    message.seconds = since.days * _SECONDS_A_DAY + since.seconds
    message.nanos = since.microseconds * 1000
