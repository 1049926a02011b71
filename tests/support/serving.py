"""The whole server on a real port, in this process or in one of its own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL

from enrollment_server.app import App
from enrollment_server.settings import Settings


@contextmanager
def serving(url: URL) -> Iterator[str]:
    """The address of a server of this database, for as long as the context lasts."""
    app = App(Settings(database_url=url, listen="127.0.0.1:0", drain_timeout=1.0))
    try:
        yield app.start()
    finally:
        app.stop()


@dataclass(frozen=True)
class Server:
    """`enrollment-server serve`, running."""

    process: "subprocess.Popen[str]"
    address: str


@contextmanager
def serving_process(executable: Path, url: URL, *flags: str) -> Iterator[Server]:
    """A server in a process of its own, on a free port; killed at the end of the context."""
    spelled_out = url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [executable, "serve", "--listen", "127.0.0.1:0", *flags],
        env={**os.environ, "ENROLLMENT_DATABASE_URL": spelled_out},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if " is ready on " in line:
                yield Server(process, line.split()[-1])
                return
        pytest.fail(f"the server did not start: {process.communicate()[1]}")
    finally:
        process.kill()
        process.communicate()
