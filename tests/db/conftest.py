"""What tests of the database layer share."""

import pytest

from enrollment_server.db import database


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(database, "LONGEST_PAUSE", 0)
