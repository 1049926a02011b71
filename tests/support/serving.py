"""The whole server, in this process, on a real port."""

from collections.abc import Iterator
from contextlib import contextmanager

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
