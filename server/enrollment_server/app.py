"""The composition root: a server, built from settings."""

import socket

from grpc_health.v1 import health_pb2, health_pb2_grpc

from enrollment_server.db import backends, schema
from enrollment_server.db.enrollments import Enrollments
from enrollment_server.ops.health import Health
from enrollment_server.ops.reflection import add_reflection
from enrollment_server.rpc.server import SERVICE, create_server
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Settings


class CannotListenError(Exception):
    """The address cannot be listened on; the message says why."""


class App:
    """One server: its engine, its gRPC server, its health.

    Building it connects to nothing. `start` listens, `stop` drains; each once.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = backends.create_engine(settings.database_url, pool_size=settings.threads)
        service = AssociationService(Enrollments(self._engine))
        self._health = Health(SERVICE)
        self._server = create_server(service, threads=settings.threads, queue=settings.queue)
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
        schema.require_head(self._engine)
        try:
            _try_to_bind(host, int(port))
            bound_port = self._server.add_insecure_port(listen)
        except (OSError, RuntimeError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CannotListenError(f"cannot listen on {listen}: {reason}") from None
        self._server.start()
        self._health.serving()
        return f"{host}:{bound_port}"

    def stop(self) -> None:
        """Say NOT_SERVING, let the calls in flight finish, and let go of everything."""
        self._health.stopping()
        self._server.stop(self._settings.drain_timeout).wait()
        self._engine.dispose()


def _try_to_bind(host: str, port: int) -> None:
    """Raise the OSError that says why not; gRPC would keep the reason to itself."""
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM
    ):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
