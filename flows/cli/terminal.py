"""Consoles and progress bars of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from flows.progress import listening


def console() -> Console:
    """Console for answers (standard output)."""
    return Console()


def error_console() -> Console:
    """Console for everything that is not an answer (standard error)."""
    return Console(stderr=True)


class _RateColumn(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        """Show the rate once there is one."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s")


class RichProgress:
    """Progress of the stages of a flow as bars with rate and remaining time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def start(self, stage: str, total: int | None) -> None:
        """Show a bar for the stage; once more, its total has become known."""
        if stage in self._tasks:
            self._progress.update(self._tasks[stage], total=total)
            return
        self._tasks[stage] = self._progress.add_task(stage, total=total)

    def advance(self, stage: str, steps: int = 1) -> None:
        """Move the stage's bar."""
        self._progress.advance(self._tasks[stage], steps)

    def finish(self, stage: str) -> None:
        """Leave the finished bar on the screen."""
        task = self._tasks[stage]
        done = self._progress.tasks[self._progress.task_ids.index(task)].completed
        self._progress.update(task, total=done, completed=done)
        self._progress.stop_task(task)


@contextmanager
def progress_bars() -> Iterator[None]:
    """Show the progress of flows run inside the block on standard error."""
    with (
        Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=error_console(),
        ) as progress,
        listening(RichProgress(progress)),
    ):
        yield
