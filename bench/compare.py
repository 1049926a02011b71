"""The server beside itself without batches, and without a database: one table.

Everything runs on this machine, the callers too, in turn and for some rounds; what means
something is how the columns compare, not the figures themselves. Medians of the rounds.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.support.databases import spelled_out
from tests.support.postgresql import postgresql_server

from bench.load import Measured, lists, writes
from bench.servers import Server, fill, serve, serve_nothing, serving

LOADS: dict[str, Callable[[Server, int, int], Measured]] = {
    "list": lists,
    "associate": partial(writes, "AssociateCourses"),
    "remove": partial(writes, "RemoveCourse"),
}
CALLERS = (1, 8, 32, 128)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--loads", nargs="*", default=list(LOADS), choices=LOADS)
    parser.add_argument("--callers", nargs="*", type=int, default=list(CALLERS))
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as urls:
        print(f"{'':24} {'calls':>6} {'':16} {'calls/s':>8} {'p50 ms':>7} {'p99 ms':>7}", end="")
        print(f" {'CPU us':>7} {'ratio':>6}")
        for name, url in urls.items():
            commands = {
                "batches": serve(url),
                "one by one": serve(url, "--batch-size=1"),
                "no database": serve_nothing(url),
            }
            for load in arguments.loads:
                for callers in arguments.callers:
                    runs: dict[str, list[Measured]] = {kind: [] for kind in commands}
                    for _ in range(arguments.rounds):
                        for kind, command in commands.items():
                            with serving(command) as server:
                                LOADS[load](server, callers, 1)  # warms it up
                                runs[kind].append(LOADS[load](server, callers, arguments.seconds))
                    show(f"{load}, {name}", callers, runs)


def show(what: str, callers: int, runs: dict[str, list[Measured]]) -> None:
    """The medians of each kind, and the ratio of its rate to that of the one-by-one server."""
    medians = {
        kind: Measured(*(statistics.median(column) for column in zip(*measured, strict=True)))
        for kind, measured in runs.items()
    }
    for kind, one in medians.items():
        ratio = one.rate / medians["one by one"].rate
        print(
            f"{what:24} {callers:6} {kind:16} {one.rate:8.0f} {one.p50:7.1f} {one.p99:7.1f}"
            f" {one.cpu:7.0f} {ratio:6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
