"""What `load` shows on standard error: progress, if it is a terminal, and rejections."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from enrollment_server.loading.source import CsvSource, Rejection


class Report:
    """Shows how far each file is, and the lines that are not accepted."""

    def __init__(self, progress: Progress, sources: Sequence[CsvSource]) -> None:
        self._progress = progress
        self._tasks = {
            source.layout: progress.add_task(source.layout.name, total=source.size)
            for source in sources
        }

    def rejected(self, source: CsvSource, rejections: Sequence[Rejection]) -> None:
        """Show lines that are not accepted."""
        # All at once: each print draws the progress anew.
        lines = (f"{source.path}:{line}: {reason}" for line, reason in rejections)
        self._progress.console.print("\n".join(lines))

    def progressed(self, source: CsvSource) -> None:
        """Show how far into the file the loading is."""
        self._progress.update(self._tasks[source.layout], completed=source.position)


@contextmanager
def showing(sources: Sequence[CsvSource]) -> Iterator[Report]:
    """A report on the loading of these files, shown while the context lasts."""
    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Report(progress, sources)
