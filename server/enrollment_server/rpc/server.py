"""The gRPC server, with everything that is between the port and the servicer."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from enrollment.v1 import enrollment_pb2, enrollment_pb2_grpc
from enrollment_server.errors import InvalidRequest, Violation
from enrollment_server.rpc.admission import Admission, Handler
from enrollment_server.rpc.errors import refusal, refuse, send_error_alone
from enrollment_server.rpc.servicer import EnrollmentServicer
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Settings

MOST_PENDING = 20_000  # calls between the network and Python

SERVICE = enrollment_pb2.DESCRIPTOR.services_by_name["EnrollmentService"].full_name


def create_server(
    service: AssociationService,
    admission: Admission,
    *,
    default_timeout: float = Settings.default_timeout,
) -> grpc.Server:
    """A server of `enrollment.v1.EnrollmentService`; it listens nowhere yet.

    It answers the calls that are let in. One that comes without a deadline is given
    `default_timeout`, in seconds.
    """
    server = grpc.server(
        admission.threads,
        interceptors=[admission, StrictStatuses(SERVICE, begun=admission.threads.hold)],
        options=[
            # A second server on a taken port is a mistake to refuse, not to share with.
            ("grpc.so_reuseport", 0),
            # Of more calls than this that arrive faster than they can be refused, gRPC
            # would tell some that they were cancelled. Its own limit is 1000.
            ("grpc.server.max_pending_requests", MOST_PENDING),
            ("grpc.server.max_pending_requests_hard_limit", MOST_PENDING),
        ],
    )
    servicer = EnrollmentServicer(service, default_timeout=default_timeout)
    enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server(servicer, server)
    return server


class StrictStatuses(grpc.ServerInterceptor):
    """Mends two statuses that gRPC would get wrong, of the methods of our service.

    An error that a method sets before it returns is sent alone.

    Bytes that are not a message, text that is not UTF-8 among them, are INVALID_ARGUMENT.
    gRPC would say INTERNAL, as if the server had failed.

    `begun` is given the context of each call before its method runs.
    """

    def __init__(self, service: str, *, begun: Callable[[grpc.ServicerContext], None]) -> None:
        self._begun = begun
        self._prefix = f"/{service}/"
        self._strict: dict[str, Handler] = {}  # by method: this is asked for every call

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = handler_call_details.method
        handler = continuation(handler_call_details)
        if handler is None or not method.startswith(self._prefix):
            return handler
        if method not in self._strict:
            self._strict[method] = _strict(handler, self._begun)
        return self._strict[method]


def _strict(handler: Any, begun: Callable[[grpc.ServicerContext], None]) -> Handler:
    """The handler of a method without streams, mended."""

    def deserializer(encoded: bytes) -> Any:
        try:
            return handler.request_deserializer(encoded)
        except DecodeError:
            return InvalidRequest(
                "The request cannot be decoded: it is damaged, or of another type.",
                [Violation("", "cannot be decoded")],
            )

    def behavior(request: Any, context: Any) -> Any:
        begun(context)
        response = None
        if isinstance(request, InvalidRequest):
            refuse(context, refusal(request))
        else:
            response = handler.unary_unary(request, context)
        send_error_alone(context)
        return response

    return grpc.unary_unary_rpc_method_handler(behavior, deserializer, handler.response_serializer)
