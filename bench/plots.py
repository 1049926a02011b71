"""Plots of what was measured: calls a second, and the 99th percentile, against calls in flight."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from bench.compare import Row

COLOURS = {
    "batches": "tab:green",
    "one by one": "tab:blue",
    "no database": "tab:grey",
    "FastAPI": "tab:orange",
    "Go": "tab:cyan",
}


def draw(rows: Sequence["Row"], folder: Path) -> None:
    """A file for each load, `performance-LOAD.svg`. pgbench is left out: its scale is another."""
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text
    mpl.rcParams["svg.hashsalt"] = "enrollment"  # the same figures make the same file
    for load in dict.fromkeys(row.load for row in rows):
        of_load = [row for row in rows if row.load == load]
        databases = list(dict.fromkeys(row.database for row in of_load))
        figure = Figure(figsize=(9, 3 * len(databases)), layout="constrained")
        grid = figure.subplots(len(databases), 2, squeeze=False)
        for database, (rates, latencies) in zip(databases, grid, strict=True):
            for server, colour in COLOURS.items():
                some = [r for r in of_load if (r.database, r.server) == (database, server)]
                if not some:
                    continue  # it was not built, or does not speak to this database
                callers = [row.callers for row in some]
                style = {"marker": "o", "color": colour, "label": server}
                rates.plot(callers, [row.medians.rate for row in some], **style)
                latencies.plot(callers, [row.medians.p99 for row in some], **style)
            rates.set(title=f"{load}, {database}", ylabel="calls a second", ylim=(0, None))
            latencies.set(title="99th percentile", ylabel="milliseconds", yscale="log")
            for axes in (rates, latencies):
                axes.set(xlabel="calls in flight", xscale="log")
                axes.set_xticks(callers, labels=[str(count) for count in callers])
                axes.minorticks_off()
                axes.grid(alpha=0.3)
        grid[0][0].legend()
        figure.savefig(folder / f"performance-{load}.svg", metadata={"Date": None})
