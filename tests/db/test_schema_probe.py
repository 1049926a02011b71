"""Whether a database can be served from, asked while it is."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from enrollment_server.db.database import Database
from enrollment_server.db.schema import NotAtHeadError, SchemaProbe
from enrollment_server.deadline import Deadline


@pytest.fixture
def probe(engine: Engine) -> Callable[[], None]:
    asks = SchemaProbe(Database(engine))
    return lambda: asks(Deadline(10))


def set_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
        )


def test_the_newest_revision_will_do(probe: Callable[[], None]) -> None:
    probe()


def test_an_older_one_will_not(engine: Engine, probe: Callable[[], None]) -> None:
    set_revision(engine, "0001")

    with pytest.raises(NotAtHeadError, match="at revision 0001, not at 0002"):
        probe()


def test_none_will_not(engine: Engine, probe: Callable[[], None]) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))

    with pytest.raises(NotAtHeadError, match="at revision none"):
        probe()


def test_one_of_a_newer_version_will_do(engine: Engine, probe: Callable[[], None]) -> None:
    """It is migrated first, and the servers of the version before go on."""
    set_revision(engine, "9999")

    probe()
