"""A PgBouncer in front of a PostgreSQL server, in transaction mode."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.serving import free_address
from tests.support.waiting import wait_until

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

needs_pgbouncer = pytest.mark.skipif(
    PROGRAM is None, reason="pgbouncer is not there; Debian's pgbouncer has it"
)


@contextmanager
def pgbouncer(behind: URL) -> Iterator[URL]:
    """The URL under which it lends connections to that database, two in all."""
    assert PROGRAM is not None
    socket_folder = Path(str(behind.query["host"]))
    host, port = free_address().split(":")
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "pgbouncer.ini"
        configuration.write_text(
            f"""[databases]
            * = host={socket_folder} user={behind.username}
            [pgbouncer]
            listen_addr = {host}
            listen_port = {port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 2
            """.replace("\n            ", "\n")
        )
        Path(folder).chmod(0o755)
        # It refuses to run as root, and PostgreSQL's socket is for its owner.
        user = ["-u", socket_folder.owner()] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [PROGRAM, *user, configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: answers(host, int(port)))
            yield behind.set(host=host, port=int(port), query={})
        finally:
            process.kill()
            process.wait()


def answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port)):
        return True
    return False
