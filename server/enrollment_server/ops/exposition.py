"""The metrics, over HTTP, for Prometheus to scrape."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from enrollment_server.listening import Address


class Exposition:
    """Serves a registry's metrics at this address."""

    def __init__(self, address: Address, registry: CollectorRegistry) -> None:
        self._address = address
        self._registry = registry

    def start(self) -> None:
        """Raises CannotListenError."""
        try:
            self._address.try_to_bind()
            self._server, _ = start_http_server(
                self._address.port or 0, self._address.host, self._registry
            )
        except (OSError, UnicodeError) as error:
            raise self._address.cannot_listen(error) from None

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def multiprocess_metrics(listen: str | None) -> Iterator[Callable[[int, bool], None]]:
    """Serve the sums of what the processes measure that are started meanwhile.

    Gives what is to be told the id of each that has died, and whether it had done anything.
    Raises CannotListenError.
    """
    if listen is None:
        yield lambda _pid, _worked: None
        return
    with tempfile.TemporaryDirectory(prefix="enrollment-metrics-") as folder:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]  # it has no types
        exposition = Exposition(Address.parse(listen), registry)
        exposition.start()
        # prometheus_client of those processes will look for it.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        try:
            yield partial(_bury, Path(folder))
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]
            exposition.stop()


def _bury(folder: Path, pid: int, worked: bool) -> None:
    """What it counted stays counted; who could not even begin leaves nothing behind."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]  # it has no types
    if not worked:
        for path in folder.glob(f"*_{pid}.db"):
            path.unlink()
