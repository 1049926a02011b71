"""A server that answers as it is told, by the id of the student: for what is hard to provoke."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import cast

from grpc_health.v1 import health_pb2_grpc

from enrollment_server import errors
from enrollment_server.domain import Course, Page, StudentCourse
from enrollment_server.metrics import Metrics
from enrollment_server.ops.health import Health
from enrollment_server.rpc.admission import Admission, CallThreads
from enrollment_server.rpc.server import SERVICE, create_server
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Limits

# What is raised for a student whose id is that of the error's class.
ERRORS: dict[str, Callable[[], Exception]] = {
    "Unauthenticated": lambda: errors.Unauthenticated(
        "This service takes calls with a token only."
    ),
    "PermissionDenied": lambda: errors.PermissionDenied("reader"),
    "DatabaseUnavailable": errors.DatabaseUnavailable,
    "DeadlineExceeded": errors.DeadlineExceeded,
    "Conflict": errors.Conflict,
    "Overloaded": errors.Overloaded,
    "ShuttingDown": errors.ShuttingDown,
    "RuntimeError": lambda: RuntimeError("SELECT secret FROM students"),
}


class Told:
    """A service whose students all take one course; it has the name of the server for title."""

    def __init__(self, name: str, threads: CallThreads) -> None:
        self._name = name
        self._threads = threads
        self.may_end = threading.Event()

    async def get_student_courses(self, student_id: str, *_: object, **__: object) -> Page:
        if student_id in ERRORS:
            raise ERRORS[student_id]()
        if student_id == "slow":
            with self._threads.blocking():
                self.may_end.wait(timeout=30)
        title = "x" * 17 * 2**20 if student_id == "long" else self._name
        course = Course("c1", "", title)
        return Page((StudentCourse(course, datetime.now(UTC)),))


class ToldServer:
    """The project's own server, around such a service."""

    def __init__(self, name: str = "") -> None:
        self._admission = Admission(threads=8, queue=100)
        self._service = Told(name, self._admission.threads)
        self._server = create_server(
            cast(AssociationService, self._service), self._admission, Metrics(), limits=Limits()
        )
        self.health = Health(SERVICE)
        self.health.set_serving(True)
        health_pb2_grpc.add_HealthServicer_to_server(self.health.servicer, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def refuse(self) -> None:
        """Say SHUTTING_DOWN to every call from now on, and to health checks that all is well."""
        self._admission.close()

    def release(self) -> None:
        """Answer those who wait."""
        self._service.may_end.set()

    def stop(self) -> None:
        self.release()
        self._server.stop(None).wait()
        self._admission.threads.stop()


@contextmanager
def told_servers(*names: str) -> Iterator[list[ToldServer]]:
    """Servers of these names, as long as the context lasts."""
    servers = [ToldServer(name) for name in names]
    yield servers
    for server in servers:
        server.stop()
