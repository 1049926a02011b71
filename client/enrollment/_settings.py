"""How a client's channel behaves."""

import json
from dataclasses import dataclass

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


DEFAULT_RETRY = RetryPolicy()


def channel_options(retry: RetryPolicy | None) -> list[tuple[str, str | int]]:
    """The channel arguments for this policy; None means no retries."""
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
    ]
