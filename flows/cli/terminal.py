"""Consoles and progress bars of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as RichBars
from rich.text import Text

from flows.pace import Pace, clock_time
from flows.progress import LineProgress, listening


def console() -> Console:
    """Console for answers (standard output)."""
    return Console()


def error_console() -> Console:
    """Console for everything that is not an answer (standard error)."""
    return Console(stderr=True)


class _RateColumn(ProgressColumn):
    """Steps and megabytes per second."""

    def render(self, task: Task) -> Text:
        """Show the rate once there is one."""
        return Text(task.fields["pace"].rate())


class _RemainingColumn(ProgressColumn):
    """Time that is left, by bytes where they are known."""

    def render(self, task: Task) -> Text:
        """Show it while the stage runs."""
        remaining = None if task.stop_time else task.fields["pace"].remaining_s()
        return Text("" if remaining is None else f"{clock_time(remaining)} left")


class RichProgress:
    """Progress of the stages of a flow as bars with rate and remaining time."""

    def __init__(self, progress: RichBars) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._paces: dict[str, Pace] = {}

    def start(
        self, stage: str, total: int | None, unit: str = "", total_bytes: int | None = None
    ) -> None:
        """Show a bar for the stage; once more, its total has become known."""
        if stage in self._tasks:
            self._paces[stage].total = total
            self._progress.update(self._tasks[stage], total=total)
            return
        self._paces[stage] = Pace(stage, total, unit, total_bytes)
        self._tasks[stage] = self._progress.add_task(stage, total=total, pace=self._paces[stage])

    def advance(self, stage: str, steps: int = 1, n_bytes: int = 0) -> None:
        """Move the stage's bar."""
        self._paces[stage].advance(steps, n_bytes)
        self._progress.advance(self._tasks[stage], steps)

    def finish(self, stage: str) -> None:
        """Leave the finished bar on the screen, with the rate it had."""
        pace, task = self._paces.pop(stage), self._tasks.pop(stage)
        pace.stop()
        self._progress.update(task, total=pace.done, completed=pace.done)
        self._progress.stop_task(task)


@contextmanager
def progress_bars() -> Iterator[None]:
    """Show the progress of flows run inside the block on standard error.

    On a terminal as bars; in a file or a mail from cron as a line now and then.
    """
    if not error_console().is_terminal:
        with listening(LineProgress(_say_line)):
            yield
        return
    with (
        RichBars(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            _RemainingColumn(),
            console=error_console(),
        ) as progress,
        listening(RichProgress(progress)),
    ):
        yield


def _say_line(line: str) -> None:
    now = datetime.now().astimezone()
    text = f"{now:%Y-%m-%d %H:%M:%S} {line}"
    error_console().print(text, highlight=False, markup=False, soft_wrap=True)
