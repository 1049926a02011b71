"""The metrics, over HTTP, for Prometheus to scrape."""

from prometheus_client import CollectorRegistry, start_http_server

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
            self._server, self._thread = start_http_server(
                self._address.port or 0, self._address.host, self._registry
            )
        except OSError as error:
            raise self._address.cannot_listen(error) from None

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
