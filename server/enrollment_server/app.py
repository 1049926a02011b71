"""The composition root: a server, built from settings."""

import logging
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from enrollment_server.access import policy, tokens
from enrollment_server.db import backends, schema
from enrollment_server.db.backends import LOCK_TIMEOUT, Timeouts
from enrollment_server.db.batched import Batched, OneByOne
from enrollment_server.db.database import Database
from enrollment_server.db.enrollments import Enrollments
from enrollment_server.listening import Address
from enrollment_server.metrics import Metrics
from enrollment_server.ops.exposition import Exposition
from enrollment_server.ops.health import Health
from enrollment_server.ops.logging import CallLog
from enrollment_server.ops.monitor import Monitor
from enrollment_server.ops.reflection import add_reflection
from enrollment_server.ops.telemetry import Telemetry
from enrollment_server.ops.tracing import Tracing
from enrollment_server.reloading import Blocking, Reloaded
from enrollment_server.rpc import tls
from enrollment_server.rpc.admission import Admission
from enrollment_server.rpc.guard import CallerGuard
from enrollment_server.rpc.server import SERVICE, create_server
from enrollment_server.rpc.silence import Silence
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Access, ContradictionError, Settings

SILENCE = 5.0  # seconds in which a call's request has to follow it
QUICKLY = 1.0  # seconds in which calls in flight usually end

logger = logging.getLogger(__name__)


class App:
    """One server: its engine, its gRPC server, its health.

    Building it reads the files that are set, and connects to nothing. `start` listens,
    `stop` drains and ends it; each once.

    Raises ContradictionError, BadFileError and BadAddressError.
    """

    def __init__(self, settings: Settings, *, share_port: bool = False) -> None:
        """With `share_port`, the port is reserved, and other processes listen on it too."""
        self._settings = settings
        self._share_port = share_port
        access, limits = settings.access, settings.limits
        access.check()
        self._address = Address.parse(settings.listen)
        self._credentials = _credentials(access, self._address)

        url = settings.database_url
        timeouts = Timeouts(limits.statement_timeout, LOCK_TIMEOUT, limits.idle_timeout)
        pooled = settings.transaction_pooling
        self.metrics = Metrics(SERVICE)
        self.metrics.pool_size.set(limits.pool)
        self._exposition = (
            Exposition(Address.parse(settings.metrics_listen), self.metrics.registry)
            if settings.metrics_listen
            else None
        )
        self._database = Database(
            backends.create_engine(url, timeouts=timeouts, pooled=pooled),
            connections=limits.pool,
            metrics=self.metrics,
        )
        self._tracing = Tracing(settings.otlp_endpoint, SERVICE) if settings.otlp_endpoint else None
        if self._tracing:
            self._tracing.trace_statements(self._database.engine)
        # A connection of its own: however busy the others are, this one can ask.
        self._probe = Database(backends.create_engine(url, timeouts=timeouts, pooled=pooled))
        self._monitor = Monitor(
            schema.SchemaProbe(self._probe), self._database_answers, self._sample
        )
        self._admission = Admission(threads=limits.threads, queue=limits.queue)
        enrollments = Enrollments(self._database)
        threads = self._admission.threads
        self._batched = (
            Batched(enrollments, threads, limits.batch_size, self.metrics)
            if limits.batch_size > 1
            else None
        )
        service = AssociationService(self._batched or OneByOne(enrollments, threads), self.metrics)
        self._telemetry = Telemetry(
            self.metrics, CallLog(settings.log_format, hash_ids=settings.hash_ids)
        )
        self._silence = Silence()
        self._health = Health(SERVICE)
        self._server = create_server(
            service,
            self._admission,
            self._telemetry,
            guard=_guard(access, threads.blocking),
            tracer=self._tracing,
            silence=self._silence,
            limits=limits,
            share_port=share_port,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health.servicer, self._server)
        if access.reflection or (access.reflection is None and self._address.is_local):
            health_service = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
            add_reflection(self._server, [SERVICE, health_service])

    def start(self) -> str:
        """Serve; returns the address.

        Raises CannotListenError, NotAtHeadError and DatabaseUnavailable.
        """
        try:
            schema.require_head(self._probe.engine)
        except schema.NewerSchemaError as error:
            # It has what this version needs, too: see SchemaProbe.
            logger.warning("%s", error)
        self._database.prepare()
        self._probe.prepare()
        bound = self._address.listen(self._server, self._credentials, reserved=self._share_port)
        if self._exposition:
            self._exposition.start()
        self._telemetry.start()
        if self._batched:
            self._batched.start()
        self._server.start()
        self._set_serving(True)
        self._monitor.start()
        return bound

    def drain(self) -> None:
        """Say NOT_SERVING, refuse new calls, and let those in flight finish.

        After this the process can end, and without `stop` loses no call: what reaches the
        port between the two finds a closed connection, and its caller tries another
        server. gRPC would tell some that they were cancelled (grpc/grpc#41785).
        """
        self._health.stopping()
        self.metrics.serving.set(0)
        self._monitor.stop()
        self._admission.close()
        timeout = self._settings.limits.drain_timeout
        quickly = min(timeout, QUICKLY)
        if not self._admission.wait_until_idle(quickly):
            self._silence.end(quickly)
            # Callers have been refused for long enough: this sends them elsewhere.
            self._server.stop(timeout - quickly).wait()
        if self._batched:
            self._batched.stop()
        self._telemetry.stop(QUICKLY)
        self._database.close()
        self._probe.close()
        if self._tracing:
            self._tracing.stop()

    def stop(self) -> None:
        """Drain, and leave the port."""
        self.drain()
        self._server.stop(None).wait()
        self._admission.threads.stop()
        if self._exposition:
            self._exposition.stop()

    def _database_answers(self, answering: bool) -> None:
        if answering:
            self._database.came_back()
            self._set_serving(True)
        else:
            self._set_serving(False)
            self._database.went_away()

    def _set_serving(self, serving: bool) -> None:
        self._health.set_serving(serving)
        self.metrics.serving.set(serving)

    def _sample(self) -> None:
        """Now and then: to do this in every call would cost every call."""
        self._silence.end(SILENCE)
        self.metrics.queue.set(self._admission.waiting)
        self.metrics.pool_in_use.set(self._database.connections.in_use)


def _credentials(access: Access, address: Address) -> grpc.ServerCredentials | None:
    if access.tls_cert and access.tls_key:
        return tls.credentials(access.tls_cert, access.tls_key, access.tls_client_ca)
    if not address.is_local and not access.insecure:
        raise ContradictionError(
            f"{address} can be reached from other machines: give --tls-cert and --tls-key,"
            " or --insecure to speak plain text all the same"
        )
    return None


def _guard(access: Access, blocking: Blocking) -> CallerGuard | None:
    """None if nobody is asked for a name."""
    if not access.tls_client_ca and not access.jwks:
        return None
    return CallerGuard(
        Reloaded([access.policy], policy.parse, blocking) if access.policy else None,
        _tokens(access.jwks, access, blocking) if access.jwks else None,
    )


def _tokens(jwks: Path, access: Access, blocking: Blocking) -> tokens.Tokens:
    keys = Reloaded([jwks], tokens.parse_keys, blocking)
    return tokens.Tokens(keys, issuer=access.jwt_issuer or "", audience=access.jwt_audience or "")
