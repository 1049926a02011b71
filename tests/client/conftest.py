"""A client, and the other end of its channel."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import grpc_testing
import pytest

from enrollment import EnrollmentClient
from tests.support.api import SERVICE


class Server:
    """The other end of the channel."""

    def __init__(self) -> None:
        self.channel = grpc_testing.channel([SERVICE], grpc_testing.strict_real_time())

    def answer(
        self,
        method: str,
        response: Any = None,
        code: grpc.StatusCode = grpc.StatusCode.OK,
        details: str = "",
        trailing_metadata: tuple[tuple[str, str | bytes], ...] = (),
    ) -> tuple[Any, Any]:
        """Answer the next call of this method; returns its metadata and its request."""
        metadata, request, rpc = self.channel.take_unary_unary(SERVICE.methods_by_name[method])
        rpc.send_initial_metadata(())
        rpc.terminate(response, trailing_metadata, code, details)
        return metadata, request


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def client(server: Server) -> EnrollmentClient:
    return EnrollmentClient(server.channel)


@pytest.fixture
def calling() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Makes a call while the test answers it."""
    with ThreadPoolExecutor(1) as caller:
        yield caller.submit


Calling = Callable[[Callable[[], Any]], "Future[Any]"]
