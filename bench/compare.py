"""The server beside others, on this machine: one table, and plots of it.

The server answers with batches, and one call at a time; beside it are the same server
without a database, which is as fast as gRPC in Python gets, FastAPI with SQLAlchemy's ORM for
the same endpoints over HTTP, and, on PostgreSQL, a server in Go if it was built, and pgbench with
the same statements. Each in turn and for some rounds; medians of the rounds. Callers run on this
machine too: what means something is how the rows compare, not the figures themselves.
"""

import argparse
import itertools
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text
from tests.support.databases import spelled_out
from tests.support.postgresql import postgresql_server

from bench.load import Measured, lists, writes
from bench.pgbench import pgbench
from bench.servers import (
    BATCHES,
    FASTAPI,
    GO,
    GO_SERVER,
    NOTHING,
    ONE_BY_ONE,
    UNKNOWN,
    Server,
    fill,
    fresh_pair,
)
from enrollment_server.db.backends import autocommitting, create_engine, parse_url
from enrollment_server.db.bulk import Bulk

LOADS = ("list", "associate", "remove")
CALLERS = (1, 8, 32, 128)
SERVERS = (BATCHES, ONE_BY_ONE, NOTHING, FASTAPI)
CLIENTS = 64  # of pgbench, at most: PostgreSQL takes no more connections than 100
WARM_UP = 1  # seconds
FASTEST = 16_000  # writes a second that no server here reaches
REMOVED = 20_000_000  # the first of the pairs that are there to be removed


class Row(NamedTuple):
    """What was measured of one server."""

    load: str
    database: str
    callers: int
    server: str
    medians: Measured


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """URLs of databases that are filled, by name."""
    with postgresql_server(durable=True) as server:
        urls = {
            "PostgreSQL": spelled_out(server.url),
            "SQLite": f"sqlite:///{folder}/bench.db",
        }
        for url in urls.values():
            fill(url, folder)
        yield urls


class Bench:
    """Measures servers of one database."""

    def __init__(self, url: str, rounds: int, seconds: int) -> None:
        self._url = url
        self._rounds = rounds
        self._seconds = seconds
        # Every run has pairs of its own: what is there already is not made again.
        self._firsts = itertools.count(step=FASTEST * max(seconds, WARM_UP))

    def medians(self, load: str, callers: int) -> Iterator[tuple[str, Measured]]:
        """Of each server."""
        on_postgresql = self._url.startswith("postgresql")
        if on_postgresql:
            self._vacuum()
        kinds = [*SERVERS, GO] if on_postgresql and GO_SERVER.exists() else SERVERS
        runs: dict[str, list[Measured]] = {}
        for _ in range(self._rounds):
            for kind in kinds:
                with kind.serving(self._url) as server:
                    run = self._load(load, server, callers)
                    run(WARM_UP)
                    runs.setdefault(kind.name, []).append(run(self._seconds))
            # Its script could not tell which pairs are left to be removed.
            if on_postgresql and load != "remove":
                clients = min(callers, CLIENTS)
                measured = pgbench(self._url, load, clients, self._seconds)
                runs.setdefault("pgbench", []).append(measured)
        for name, measured_ones in runs.items():
            columns = zip(*measured_ones, strict=True)
            yield name, Measured(*(statistics.median(column) for column in columns))

    def _load(self, load: str, server: Server, callers: int) -> Callable[[int], Measured]:
        if load == "list":
            return partial(lists, server, callers)

        def write(seconds: int) -> Measured:
            first = next(self._firsts)
            if load == "associate":
                return writes("AssociateCourses", server, callers, seconds, first)
            self._associate(range(REMOVED + first, REMOVED + first + FASTEST * seconds))
            return writes("RemoveCourse", server, callers, seconds, REMOVED + first)

        return write

    def _vacuum(self) -> None:
        """As pgbench does with its own. PostgreSQL would do so later, and in the middle."""
        engine = create_engine(parse_url(self._url))
        with autocommitting(engine).connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))

    def _associate(self, pairs: range) -> None:
        engine = create_engine(parse_url(self._url))
        Bulk(engine).associate([fresh_pair(number) for number in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--loads", nargs="*", default=LOADS, choices=LOADS)
    parser.add_argument("--callers", nargs="*", type=int, default=CALLERS)
    parser.add_argument("--plots", type=Path, help="a folder to draw into")
    arguments = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as urls:
        print(f"{'':24} {'calls':>6} {'':16} {'calls/s':>8} {'p50 ms':>7} {'p99 ms':>7}", end="")
        print(f" {'CPU us':>7} {'statements':>10} {'ratio':>6}")
        benches = {
            name: Bench(url, arguments.rounds, arguments.seconds) for name, url in urls.items()
        }
        for load, callers in itertools.product(arguments.loads, arguments.callers):
            for name, bench in benches.items():
                medians = dict(bench.medians(load, callers))
                rows += [Row(load, name, callers, *one) for one in medians.items()]
                for server, one in medians.items():
                    show(Row(load, name, callers, server, one), medians[BATCHES.name].rate)
    if arguments.plots:
        from bench.plots import draw  # what it needs is large

        draw(rows, arguments.plots)


def show(row: Row, batches: float) -> None:
    """One line; its ratio is how many times as fast the server with batches is."""
    one = row.medians
    cells = [f"{row.load}, {row.database}".ljust(24), f"{row.callers:6}", row.server.ljust(16)]
    for value, form in (
        (one.rate, "8.0f"),
        (one.p50, "7.2f"),
        (one.p99, "7.1f"),
        (one.cpu, "7.0f"),
        (one.statements, "10.2f"),
        (batches / (one.rate or UNKNOWN), "6.2f"),
    ):
        text = "-" if math.isnan(value) else format(value, form)
        cells.append(text.rjust(int(form.split(".")[0])))
    print(" ".join(cells), flush=True)


if __name__ == "__main__":
    main()
