"""`grpc.health.v1`: whether this server takes calls."""

from concurrent.futures import ThreadPoolExecutor

from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse

THREADS = 16  # for checks whose request is yet to come; others are answered in no time


class Health:
    """The health servicer, for the server as a whole (`""`) and for each of its services."""

    def __init__(self, *services: str) -> None:
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="health")
        # Not blocking: a Watch is a call without end, and would keep a thread of the server.
        self.servicer = HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=threads
        )
        # As the servicer does with Watch itself: however many calls wait, no check does.
        self.servicer.Check.__func__.experimental_thread_pool = threads
        self._services = ("", *services)
        self.set_serving(False)

    def set_serving(self, serving: bool) -> None:
        """Say SERVING, or NOT_SERVING for a while."""
        status = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
        for service in self._services:
            self.servicer.set(service, status)

    def stopping(self) -> None:
        """Say NOT_SERVING, from now on whatever else happens."""
        self.servicer.enter_graceful_shutdown()
