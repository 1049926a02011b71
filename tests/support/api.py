"""The three calls, as tests make them, and the servicer, called in process."""

from abc import ABC, abstractmethod
from typing import Any

import grpc
import grpc_testing
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from enrollment.v1 import enrollment_pb2 as pb
from enrollment_server.rpc.servicer import EnrollmentServicer
from tests.support.statuses import refusal

SERVICE = pb.DESCRIPTOR.services_by_name["EnrollmentService"]


def method_of(request: Message) -> MethodDescriptor:
    """The method that takes this request."""
    return SERVICE.methods_by_name[type(request).__name__.removesuffix("Request")]


class Calls(ABC):
    """The three calls, whoever makes them."""

    @abstractmethod
    def call(self, request: Message) -> Any:
        """The response, or the Refusal that came instead."""

    def associate(self, student_id: str, *course_ids: str) -> Any:
        return self.call(pb.AssociateCoursesRequest(student_id=student_id, course_ids=course_ids))

    def list_courses(self, student_id: str, page_size: int = 0, page_token: str = "") -> Any:
        return self.call(
            pb.ListStudentCoursesRequest(
                student_id=student_id, page_size=page_size, page_token=page_token
            )
        )

    def remove(self, student_id: str, course_id: str, *, allow_missing: bool = False) -> Any:
        return self.call(
            pb.RemoveCourseRequest(
                student_id=student_id, course_id=course_id, allow_missing=allow_missing
            )
        )

    def course_ids(self, student_id: str) -> list[str]:
        return [taken.course.id for taken in self.list_courses(student_id).courses]


class Api(Calls):
    """Calls a servicer's methods, as gRPC does."""

    def __init__(self, service: Any) -> None:
        self._server = grpc_testing.server_from_dictionary(
            {SERVICE: EnrollmentServicer(service)}, grpc_testing.strict_real_time()
        )

    def call(self, request: Message) -> Any:
        call = self._server.invoke_unary_unary(method_of(request), (), request, None)
        response, trailing_metadata, code, details = call.termination()
        if code is grpc.StatusCode.OK:
            return response
        return refusal(code, details, trailing_metadata)
