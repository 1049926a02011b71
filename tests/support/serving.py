"""The whole server on a real port, in this process or in one of its own."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from sqlalchemy import URL

from enrollment_server.app import App
from enrollment_server.settings import Limits, Settings
from tests.support.databases import spelled_out


def free_address() -> str:
    """An address on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return f"127.0.0.1:{one.getsockname()[1]}"


@contextmanager
def serving(url: URL, **settings: Any) -> Iterator[str]:
    """The address of a server of this database, for as long as the context lasts."""
    usual = {"listen": "127.0.0.1:0", "limits": Limits(drain_timeout=1.0)}
    app = App(Settings(database_url=url, **{**usual, **settings}))
    try:
        yield app.start()
    finally:
        app.stop()


@dataclass(frozen=True)
class Server:
    """`enrollment-server serve`, running."""

    process: "subprocess.Popen[str]"
    address: str
    _log: IO[str]

    def errors(self) -> str:
        """What it has written to standard error."""
        self._log.seek(0)
        return self._log.read()


@contextmanager
def serving_process(executable: Path, url: URL, *flags: str) -> Iterator[Server]:
    """A server in a process of its own, on a free port; killed at the end of the context."""
    with tempfile.TemporaryFile("w+") as log:  # a pipe that nobody reads would fill up
        process = subprocess.Popen(
            [executable, "serve", "--listen", "127.0.0.1:0", *flags],
            env={**os.environ, "ENROLLMENT_DATABASE_URL": spelled_out(url)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if " is ready on " in line:
                    yield Server(process, line.split()[-1], log)
                    return
            pytest.fail(f"the server did not start: {Server(process, '', log).errors()}")
        finally:
            process.kill()
            process.communicate()
