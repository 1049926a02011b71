"""Where a server listens: a TCP port, or a Unix socket."""

import errno
import ipaddress
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc


class BadAddressError(ValueError):
    """The text is not an address; the message says what one looks like."""


class CannotListenError(Exception):
    """The address cannot be listened on; the message says why."""


@dataclass(frozen=True)
class Address:
    """HOST:PORT, or unix:PATH. `port` is None for a Unix socket, whose path `host` is."""

    text: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadAddressError."""
        if text.startswith("unix:") and len(text) > len("unix:"):
            return cls(text, text.removeprefix("unix:"), None)
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise BadAddressError(f"{text!r} is neither HOST:PORT nor unix:PATH")
        return cls(text, host.strip("[]"), int(port))

    def __str__(self) -> str:
        return self.text

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.port is None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name: who knows what it stands for
            return False

    def reserve(self) -> tuple[socket.socket, "Address"]:
        """Take a TCP port for processes that will share it; nobody else can have it then.

        Returns what holds it until it is closed, and the address, with the port that was
        picked. Raises CannotListenError.
        """
        try:
            self.try_to_bind()
            [(family, _, _, _, address), *_] = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM
            )
            holder = socket.socket(family)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind(address)
        except (OSError, UnicodeError) as error:
            raise self.cannot_listen(error) from None
        return holder, Address.parse(f"{self.text.rpartition(':')[0]}:{holder.getsockname()[1]}")

    def listen(
        self,
        server: grpc.Server,
        credentials: grpc.ServerCredentials | None,
        *,
        reserved: bool = False,
    ) -> str:
        """Have the server listen here; returns the address, with the port that was picked.

        Raises CannotListenError.
        """
        try:
            if not reserved:
                self.try_to_bind()
            if credentials is None:
                port = server.add_insecure_port(self.text)
            else:
                port = server.add_secure_port(self.text, credentials)
        except (OSError, RuntimeError, UnicodeError) as error:
            raise self.cannot_listen(error) from None
        return self.text if self.port is None else f"{self.text.rpartition(':')[0]}:{port}"

    def cannot_listen(self, error: Exception) -> CannotListenError:
        """What to raise for this."""
        reason = getattr(error, "strerror", None) or error
        return CannotListenError(f"cannot listen on {self}: {reason}")

    def try_to_bind(self) -> None:
        """Raise the OSError that says why not; gRPC would keep the reason to itself."""
        if self.port is None:
            _try_to_bind_unix(Path(self.host))
            return
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)


def _try_to_bind_unix(path: Path) -> None:
    """Make way for the socket: one that a dead server has left is removed, a live one not."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISSOCK(mode):
            raise FileExistsError(errno.EEXIST, "it is there, and no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise OSError(errno.EADDRINUSE, "Address already in use")
        path.unlink()
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(path))
    path.unlink()
