"""What the server counts and measures, for Prometheus.

The calls have the names and buckets of gRPC's own server metrics (gRFC A66), as Prometheus
spells them; the rest begins with `enrollment_`. docs/operations.md lists them all.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from enrollment_server.calls import Call

_SECONDS = (
    *(0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005),
    *(0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13),
    *(0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100),
)
_BYTES = (0, *(4**power for power in range(5, 17)))  # 1 KiB to 4 GiB


class Metrics:
    """All of them, in a registry of their own. `service` is the name before each method's."""

    def __init__(self, service: str = "", registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._service = service
        self._started_of = cache(self._find_started)
        self._ended_of = cache(self._find_ended)

        self._started = self._counter("grpc_server_call_started", "Calls begun", "grpc_method")
        labels = ("grpc_method", "grpc_status")
        self._seconds = self._histogram(
            "grpc_server_call_duration_seconds", "From arrival to answer", _SECONDS, *labels
        )
        self._sent = self._histogram(
            "grpc_server_call_sent_total_compressed_message_size_bytes",
            "Size of a call's answer",
            _BYTES,
            *labels,
        )
        self._received = self._histogram(
            "grpc_server_call_rcvd_total_compressed_message_size_bytes",
            "Size of a call's request",
            _BYTES,
            *labels,
        )
        self.associations_created = self._counter(
            "enrollment_associations_created", "Associations that calls made"
        )
        self.associations_removed = self._counter(
            "enrollment_associations_removed", "Associations that calls removed"
        )
        self.conflicts_retried = self._counter(
            "enrollment_conflicts_retried", "Transactions run again after a conflict"
        )
        self._shed = self._counter("enrollment_calls_shed", "Calls refused by a full queue")
        self.database_seconds = self._histogram(
            "enrollment_database_seconds", "From having a connection to giving it back", _SECONDS
        )
        self.batch_size = self._histogram(
            "enrollment_batch_size",
            "Calls that were answered together",
            tuple(2**power for power in range(11)),
            "kind",
        )
        self.queue = self._gauge(
            "enrollment_queue_length", "Calls in flight beyond one for each thread"
        )
        self.pool_in_use = self._gauge("enrollment_pool_in_use", "Connections in use")
        self.pool_size = self._gauge("enrollment_pool_size", "Connections that may be in use")
        self.serving = self._gauge("enrollment_serving", "Servers whose health is SERVING")

    def started(self, method: str) -> None:
        self._started_of(method).inc()

    def ended(self, call: Call) -> None:
        seconds, sent, received = self._ended_of(call.method, call.code)
        seconds.observe(call.seconds)
        sent.observe(call.response_size)
        received.observe(call.request_size)
        if call.reason == "OVERLOADED":
            self._shed.inc()

    # Methods and codes are few, and to look up a metric's child takes as long as to count.

    def _find_started(self, method: str) -> Counter:
        return self._started.labels(f"{self._service}/{method}")

    def _find_ended(self, method: str, code: str) -> tuple[Histogram, Histogram, Histogram]:
        labels = (f"{self._service}/{method}", code)
        return (
            self._seconds.labels(*labels),
            self._sent.labels(*labels),
            self._received.labels(*labels),
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        # Where there are several processes: of those that are alive.
        return Gauge(name, text, registry=self.registry, multiprocess_mode="livesum")

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)
