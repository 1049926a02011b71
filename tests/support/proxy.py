"""A TCP port in front of a Unix socket, on which connections can be reset, and go silent."""

import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TICK = 0.02  # seconds


class Proxy:
    """Forwards what comes, until it is told otherwise; it has a thread of its own."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._silent: list[socket.socket] = []
        self._lock = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="proxy")
        self._thread.start()

    def reset(self) -> None:
        """End every connection with RST."""
        with self._lock:
            for one in set(self._peers):
                if one not in self._peers:  # the other side of one before it
                    continue
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._drop(one)

    def blackhole(self) -> None:
        """Forward nothing more of any connection, and answer no new one.

        Those that went silent before are found out and closed, as by keepalive.
        """
        with self._lock:
            for one in self._silent:
                one.close()
            for one in self._peers:
                self._selector.unregister(one)
            self._silent = list(self._peers)
            self._peers.clear()
            self._selector.unregister(self._listener)

    def heal(self) -> None:
        """Answer new connections; those that are silent stay so."""
        with self._lock:
            self._selector.register(self._listener, selectors.EVENT_READ)

    def close(self) -> None:
        self._open = False
        self._thread.join()
        for one in [self._listener, *self._peers, *self._silent]:
            one.close()
        self._selector.close()

    def _run(self) -> None:
        while self._open:
            for key, _ in self._selector.select(TICK):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._peers:
                        self._forward(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self._target))
        except OSError:
            client.close()
            server.close()
            return
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _forward(self, source: socket.socket) -> None:
        try:
            received = source.recv(65536)
            self._peers[source].sendall(received)
        except OSError:
            received = b""
        if not received:
            self._drop(source)

    def _drop(self, one: socket.socket) -> None:
        """Close both sides."""
        other = self._peers.pop(one, None)
        if other is None:
            return
        del self._peers[other]
        for side in (one, other):
            with suppress(KeyError):
                self._selector.unregister(side)
            side.close()


@contextmanager
def proxy(target: Path) -> Iterator[Proxy]:
    running = Proxy(target)
    try:
        yield running
    finally:
        running.close()
