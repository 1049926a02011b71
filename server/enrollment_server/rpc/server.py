"""The gRPC server, with everything that is between the port and the servicer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from enrollment.v1 import enrollment_pb2_grpc
from enrollment_server.rpc.servicer import EnrollmentServicer
from enrollment_server.service.association import AssociationService


def create_server(service: AssociationService, threads: int) -> grpc.Server:
    """A server of `enrollment.v1.EnrollmentService`; it listens nowhere yet."""
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="rpc"),
        interceptors=[TrailersOnlyErrors()],
        # A second server on a taken port is a mistake to refuse, not to share with.
        options=[("grpc.so_reuseport", 0)],
    )
    enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server(EnrollmentServicer(service), server)
    return server


class TrailersOnlyErrors(grpc.ServerInterceptor):
    """Sends an error as trailers alone, without headers and a message before them.

    A method that sets a status and returns has its response sent as well, and a client
    that has seen headers does not retry (gRFC A6).
    """

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "grpc.RpcMethodHandler[Any, Any] | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        method = handler.unary_unary

        def behavior(request: Any, context: Any) -> Any:
            response = method(request, context)
            code = context.code()
            if code not in (None, grpc.StatusCode.OK):
                context.abort(code, context.details())
            return response

        return grpc.unary_unary_rpc_method_handler(
            behavior, handler.request_deserializer, handler.response_serializer
        )
