"""Server reflection: callers without the contract ask the server for it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc
from grpc_reflection.v1alpha.reflection import SERVICE_NAME, ReflectionServicer

STREAMS = 4  # answered at once


def add_reflection(server: grpc.Server, services: Sequence[str]) -> None:
    """Let the server describe these services, and reflection itself."""
    servicer = ReflectionServicer([*services, SERVICE_NAME])
    # A stream keeps its thread, however idle: those of the calls are not for it.
    servicer.ServerReflectionInfo.__func__.experimental_thread_pool = ThreadPoolExecutor(
        STREAMS, thread_name_prefix="reflection"
    )
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
