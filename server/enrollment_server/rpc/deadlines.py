"""The deadline of a call, as the service is to keep it."""

import threading

import grpc

from enrollment_server.deadline import Deadline

LONGEST_RESERVE = 0.5  # seconds


def deadline_of(context: grpc.ServicerContext, default_timeout: float) -> Deadline:
    """Until when to work for this call, if its caller does not leave before.

    That is a little before the caller's own deadline, by a quarter of the time that is left
    or half a second: so that the answer, which may be that the database does not answer,
    still arrives. A call without a deadline has `default_timeout`, in seconds.
    """
    left = context.time_remaining()
    # gRPC says centuries for none, and grpc_testing None.
    if left is None or left > threading.TIMEOUT_MAX:
        return Deadline(default_timeout, context.is_active)
    return Deadline(left - min(left / 4, LONGEST_RESERVE), context.is_active)
