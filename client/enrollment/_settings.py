"""How a client's channel behaves."""

import ipaddress
import json
from dataclasses import dataclass

import grpc

from enrollment.v1 import enrollment_pb2 as pb

_SERVICE = pb.DESCRIPTOR.services_by_name["EnrollmentService"].full_name

# A COURSE_NOT_FOUND may name a hundred ids of the greatest length, 13 KiB; gRPC's own
# limit, 8 KiB, would make another error of it.
_MAX_METADATA_SIZE = 64 * 1024  # bytes


@dataclass(frozen=True)
class RetryPolicy:
    """Retries of UNAVAILABLE, by gRPC itself and within the call's timeout (gRFC A6).

    `max_attempts` counts the first. The pause before each further one is random, up to
    `initial_backoff` seconds, times `backoff_multiplier` each time, at most `max_backoff`.
    Raises ValueError unless `max_attempts` is 2 to 5 (gRPC allows no more), the pauses are
    0.01 to 3600 seconds, and the multiplier is 1 to 100.
    """

    max_attempts: int = 5
    initial_backoff: float = 0.1
    max_backoff: float = 1.0
    backoff_multiplier: float = 2.0

    def __post_init__(self) -> None:
        if not 2 <= self.max_attempts <= 5:
            raise ValueError("max_attempts is not 2 to 5; for no retries, say retry=None")
        # gRPC 1.85 was seen to forget a call whose pause came to less than a millisecond.
        if not (0.01 <= self.initial_backoff <= 3600 and 0.01 <= self.max_backoff <= 3600):
            raise ValueError("initial_backoff and max_backoff are not 0.01 to 3600 seconds")
        if not 1 <= self.backoff_multiplier <= 100:
            raise ValueError("backoff_multiplier is not 1 to 100")


@dataclass(frozen=True)
class Tls:
    """How a server is known, and how this client is: contents of PEM files, as bytes.

    `root_certificates` are those that the server's certificate must lead to; None stands
    for those that gRPC has. `private_key` and `certificate_chain`, which go together, are
    this client's own, for servers that ask for them (mutual TLS). Certificates that are
    replaced take effect with a new client.
    """

    root_certificates: bytes | None = None
    private_key: bytes | None = None
    certificate_chain: bytes | None = None

    def __post_init__(self) -> None:
        if (self.private_key is None) != (self.certificate_chain is None):
            raise ValueError("private_key and certificate_chain go together")

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel."""
        return grpc.ssl_channel_credentials(
            self.root_certificates, self.private_key, self.certificate_chain
        )


@dataclass(frozen=True)
class Keepalive:
    """How a server that has gone without a word is found out (gRFC A8).

    After `time` seconds without a word it is asked, and has `timeout` seconds to answer; then
    the connection is given up, and calls on it fail as UNAVAILABLE. Raises ValueError if
    `time` is less than the 10 seconds that servers allow, or `timeout` not positive.
    """

    time: float = 60.0
    timeout: float = 20.0

    def __post_init__(self) -> None:
        if self.time < 10 or self.timeout <= 0:
            raise ValueError("time is 10 seconds or more, and timeout positive")


DEFAULT_RETRY = RetryPolicy()
DEFAULT_KEEPALIVE = Keepalive()


def is_local(target: str) -> bool:
    """Whether what is sent to this target stays on this machine."""
    if target.startswith("unix:"):
        return True
    # scheme://authority/address, where the authority is whom to ask; or scheme:address
    address = target.rpartition("/")[2].removeprefix("dns:").removeprefix("ipv4:")
    host = address.rpartition(":")[0] if address.count(":") == 1 or "]" in address else address
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def channel_options(
    retry: RetryPolicy | None, keepalive: Keepalive = DEFAULT_KEEPALIVE
) -> list[tuple[str, str | int]]:
    """The channel arguments for these; no policy means no retries."""
    # Where the target names several servers, all of them are used.
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if retry is not None:
        policy = {
            "maxAttempts": retry.max_attempts,
            "initialBackoff": f"{retry.initial_backoff:.3f}s",
            "maxBackoff": f"{retry.max_backoff:.3f}s",
            "backoffMultiplier": retry.backoff_multiplier,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config["methodConfig"] = [{"name": [{"service": _SERVICE}], "retryPolicy": policy}]
    return [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", int(retry is not None)),
        ("grpc.max_metadata_size", _MAX_METADATA_SIZE),
        # A server that was restarted is used again before the retries of a call are used up.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.keepalive_time_ms", int(keepalive.time * 1000)),
        ("grpc.keepalive_timeout_ms", int(keepalive.timeout * 1000)),
    ]
