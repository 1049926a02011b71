"""The composition root: a server, built from settings."""

import socket

from grpc_health.v1 import health_pb2, health_pb2_grpc

from enrollment_server.db import backends, schema
from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import Enrollments
from enrollment_server.ops.health import Health
from enrollment_server.ops.monitor import Monitor
from enrollment_server.ops.reflection import add_reflection
from enrollment_server.rpc.admission import Admission
from enrollment_server.rpc.server import SERVICE, create_server
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Settings

QUICKLY = 1.0  # seconds in which calls in flight usually end


class CannotListenError(Exception):
    """The address cannot be listened on; the message says why."""


class App:
    """One server: its engine, its gRPC server, its health.

    Building it connects to nothing. `start` listens, `stop` drains and ends it; each once.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        url = settings.database_url
        self._database = Database(backends.create_engine(url, pool_size=settings.threads))
        # A connection of its own: however busy the others are, this one can ask.
        self._probe = Database(backends.create_engine(url))
        self._monitor = Monitor(self._probe.ping, self._database_answers)
        service = AssociationService(Enrollments(self._database))
        self._health = Health(SERVICE)
        self._admission = Admission(SERVICE, threads=settings.threads, queue=settings.queue)
        self._server = create_server(
            service, self._admission, default_timeout=settings.default_timeout
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, self._server)
        health_service = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        add_reflection(self._server, [SERVICE, health_service])

    def start(self) -> str:
        """Serve; returns the address, as HOST:PORT.

        Raises CannotListenError, NotAtHeadError and DatabaseUnavailable.
        """
        listen = self._settings.listen
        host, _, port = listen.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise CannotListenError(f"{listen!r} is not HOST:PORT")
        schema.require_head(self._probe.engine)
        try:
            _try_to_bind(host, int(port))
            bound_port = self._server.add_insecure_port(listen)
        except (OSError, RuntimeError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CannotListenError(f"cannot listen on {listen}: {reason}") from None
        self._server.start()
        self._health.serving()
        self._monitor.start()
        return f"{host}:{bound_port}"

    def drain(self) -> None:
        """Say NOT_SERVING, refuse new calls, and let those in flight finish.

        After this the process can end, and without `stop` loses no call: what reaches the
        port between the two finds a closed connection, and its caller tries another
        server. gRPC would tell some that they were cancelled (grpc/grpc#41785).
        """
        self._health.stopping()
        self._monitor.stop()
        self._admission.close()
        timeout = self._settings.drain_timeout
        quickly = min(timeout, QUICKLY)
        if not self._admission.threads.wait_until_idle(quickly):
            # Callers have been refused for long enough: this sends them elsewhere.
            self._server.stop(timeout - quickly).wait()
        self._database.engine.dispose()
        self._probe.engine.dispose()

    def stop(self) -> None:
        """Drain, and leave the port."""
        self.drain()
        self._server.stop(None).wait()

    def _database_answers(self, answering: bool) -> None:
        if answering:
            self._database.came_back()
            self._health.serving()
        else:
            self._health.not_serving()
            self._database.went_away()


def _try_to_bind(host: str, port: int) -> None:
    """Raise the OSError that says why not; gRPC would keep the reason to itself."""
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM
    ):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
