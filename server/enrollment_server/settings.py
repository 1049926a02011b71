"""Every knob of the server, typed, with its default.

The command line (`enrollment_server.cli`) gives each a flag and an ENROLLMENT_* variable;
docs/operations.md says how to choose them.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

DEFAULT_DATABASE_URL = "sqlite:///enrollment.db"


class ContradictionError(Exception):
    """Settings that do not go together; the message names them."""


@dataclass(frozen=True)
class Access:
    """Who is let in. Files are looked at again while the server runs."""

    tls_cert: Path | None = None  # PEM, with what leads to a root
    tls_key: Path | None = None
    tls_client_ca: Path | None = None  # whoever connects has a certificate signed by it
    insecure: bool = False  # plain text also to other machines
    policy: Path | None = None
    jwks: Path | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    reflection: bool | None = None  # None: on loopback and Unix sockets only

    def check(self) -> None:
        """Raise ContradictionError if these do not go together."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ContradictionError("--tls-cert and --tls-key go together")
        if self.tls_client_ca and not self.tls_cert:
            raise ContradictionError("--tls-client-ca needs --tls-cert and --tls-key")
        if self.insecure and self.tls_cert:
            raise ContradictionError("--insecure contradicts --tls-cert")
        token = (self.jwks, self.jwt_issuer, self.jwt_audience)
        if any(token) and not all(token):
            raise ContradictionError("--jwks, --jwt-issuer and --jwt-audience go together")
        if self.policy and not (self.jwks or self.tls_client_ca):
            raise ContradictionError(
                "--policy speaks of names, and without --tls-client-ca or --jwks nobody has one"
            )
        if self.jwks and not self.policy:
            raise ContradictionError("--jwks needs a --policy, which says what each name may do")


@dataclass(frozen=True)
class Limits:
    """How much the server takes on, and for how long."""

    threads: int = 64  # batches, and calls by themselves, that are worked on at once
    batch_size: int = 64  # calls that are answered together at most; 1: each by itself
    queue: int = 128  # calls beyond one for each thread; more are refused
    pool: int = 8  # connections to the database
    default_timeout: float = 30.0  # seconds for a call that comes without a deadline
    drain_timeout: float = 10.0  # seconds that calls in flight have to finish on shutdown
    statement_timeout: float = 30.0  # seconds; PostgreSQL ends what takes longer
    idle_timeout: float = 2.0  # seconds from one statement of a transaction to the next
    request_size: int = 4 * 2**20  # bytes of a request's message
    metadata_size: int = 16 * 2**10  # bytes of a request's metadata
    keepalive: float = 60.0  # seconds of silence after which a client is asked whether it is there
    keepalive_timeout: float = 20.0  # seconds that it has to answer
    client_ping: float = 10.0  # seconds between two such questions that a client may ask
    connection_age: float = 3600.0  # seconds; then the client is sent to connect anew
    connection_grace: float = 60.0  # seconds more for the calls on that connection


@dataclass(frozen=True)
class Settings:
    """How one server runs."""

    database_url: URL
    listen: str = "127.0.0.1:50051"  # HOST:PORT, port 0 picks a free one; or unix:PATH
    metrics_listen: str | None = None  # HOST:PORT for Prometheus
    otlp_endpoint: str | None = None  # URL of whoever collects traces
    transaction_pooling: bool = False  # PostgreSQL is behind PgBouncer or the like
    log_format: str = "auto"  # auto, text or json
    hash_ids: bool = False  # of students, in the log
    workers: int = 1  # processes that share the port
    access: Access = Access()
    limits: Limits = Limits()
