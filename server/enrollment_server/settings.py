"""Every knob of the server, typed, with its default.

The command line (`enrollment_server.cli`) gives each a flag and an ENROLLMENT_* variable.
"""

from dataclasses import dataclass

from sqlalchemy import URL

DEFAULT_DATABASE_URL = "sqlite:///enrollment.db"


@dataclass(frozen=True)
class Settings:
    """How one server runs."""

    database_url: URL
    listen: str = "127.0.0.1:50051"  # HOST:PORT; port 0 picks a free one
    threads: int = 8  # calls answered at once, each with a database connection of its own
    queue: int = 128  # calls that may wait for a thread; more are refused
    default_timeout: float = 30.0  # seconds for a call that comes without a deadline
    drain_timeout: float = 10.0  # seconds that calls in flight have to finish on shutdown
