"""Where the log goes: standard error."""

import logging


def configure() -> None:
    """Log what the server does, and of its libraries what goes wrong."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("enrollment_server").setLevel(logging.INFO)
