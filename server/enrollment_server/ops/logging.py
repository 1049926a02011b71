"""Where the log goes: standard error."""

import logging


def configure() -> None:
    """Log what goes wrong."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
