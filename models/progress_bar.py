"""A progress bar on the terminal that appears with the first byte of a download."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn


class Bar:
    """One bar at a time; `told` has the form that downloads report in."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def told(self, file: str, done_bytes: int, total_bytes: int | None) -> None:
        """Move the bar; called by the download."""
        if self._task is None:
            self._task = self._bar.add_task(file, total=total_bytes)
        self._bar.update(self._task, completed=done_bytes, total=total_bytes)


@contextlib.contextmanager
def progress_bar(console: Console) -> Iterator[Bar]:
    """Show a bar while the block runs; it is gone afterwards."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield Bar(bar)
