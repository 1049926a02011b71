"""The gRPC server, with everything that is between the port and the servicer."""

from typing import Any, cast

import grpc

from enrollment.v1 import enrollment_pb2, enrollment_pb2_grpc
from enrollment_server.calls import Observer, Tracer
from enrollment_server.rpc.admission import Admission
from enrollment_server.rpc.calls import Calls, Guard
from enrollment_server.rpc.servicer import EnrollmentServicer
from enrollment_server.rpc.silence import Silence
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Limits

MOST_PENDING = 20_000  # calls between the network and Python

SERVICE = enrollment_pb2.DESCRIPTOR.services_by_name["EnrollmentService"].full_name


def create_server(
    service: AssociationService,
    admission: Admission,
    observer: Observer,
    *,
    guard: Guard | None = None,
    tracer: Tracer | None = None,
    silence: Silence | None = None,
    limits: Limits,
    share_port: bool = False,
) -> grpc.Server:
    """A server of `enrollment.v1.EnrollmentService`; it listens nowhere yet.

    It answers the calls that are let in, of callers that `guard` admits; without one, of
    all. `silence` knows the calls whose request has yet to come. With `share_port`, several
    servers may listen on one port.
    """
    server = grpc.server(
        cast(Any, admission.threads),  # it needs no more than an Executor
        interceptors=[Calls(SERVICE, admission, guard, observer, tracer, silence or Silence())],
        options=[
            # A second server on a taken port is a mistake to refuse, not to share with.
            ("grpc.so_reuseport", int(share_port)),
            # Of more calls than this that arrive faster than they can be refused, gRPC
            # would tell some that they were cancelled. Its own limit is 1000.
            ("grpc.server.max_pending_requests", MOST_PENDING),
            ("grpc.server.max_pending_requests_hard_limit", MOST_PENDING),
            ("grpc.max_receive_message_length", limits.request_size),
            ("grpc.max_metadata_size", limits.metadata_size),
            ("grpc.absolute_max_metadata_size", limits.metadata_size),
            # A peer that has gone without a word is found out (gRFC A8, A9).
            ("grpc.keepalive_time_ms", _milliseconds(limits.keepalive)),
            ("grpc.keepalive_timeout_ms", _milliseconds(limits.keepalive_timeout)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            # Clients may ask as often: gRPC would close on those that do so within 5 minutes.
            ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(limits.client_ping)),
            ("grpc.max_connection_age_ms", _milliseconds(limits.connection_age)),
            ("grpc.max_connection_age_grace_ms", _milliseconds(limits.connection_grace)),
        ],
    )
    servicer = EnrollmentServicer(service, default_timeout=limits.default_timeout)
    enrollment_pb2_grpc.add_EnrollmentServiceServicer_to_server(servicer, server)
    return server


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
