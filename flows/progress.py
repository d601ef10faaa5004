"""Progress of long work, told to whoever listens: a terminal, a log, or nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from flows.pace import Pace, clock_time


class Progress(Protocol):
    """A listener to the progress of the stages of a flow."""

    def start(
        self, stage: str, total: int | None, unit: str = "", total_bytes: int | None = None
    ) -> None:
        """Begin a stage of `total` steps (None: unknown); again: its total has become known."""

    def advance(self, stage: str, steps: int = 1, n_bytes: int = 0) -> None:
        """Count `steps` steps, of `n_bytes` altogether, as done."""

    def finish(self, stage: str) -> None:
        """End a stage."""


class SilentProgress:
    """Tells nobody."""

    def start(
        self, stage: str, total: int | None, unit: str = "", total_bytes: int | None = None
    ) -> None:
        """Do nothing."""

    def advance(self, stage: str, steps: int = 1, n_bytes: int = 0) -> None:
        """Do nothing."""

    def finish(self, stage: str) -> None:
        """Do nothing."""


class LineProgress:
    """Says a line every so many seconds, and one at the end of each stage.

    Parameters
    ----------
    say : callable
        Takes the line: a logger, or print to a file that cron sends by mail.
    every_s : float
        Seconds between two lines of a stage.
    now : callable
        Monotonic time in seconds.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        every_s: float = 30.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._every_s = every_s
        self._now = now
        self._paces: dict[str, Pace] = {}
        self._said: dict[str, float] = {}

    def start(
        self, stage: str, total: int | None, unit: str = "", total_bytes: int | None = None
    ) -> None:
        """Begin to watch; says nothing, for most stages are over in no time."""
        if stage in self._paces:
            self._paces[stage].total = total
            return
        self._paces[stage] = Pace(stage, total, unit, total_bytes, self._now)
        self._said[stage] = self._now()

    def advance(self, stage: str, steps: int = 1, n_bytes: int = 0) -> None:
        """Count; say so if the last line is long ago."""
        self._paces[stage].advance(steps, n_bytes)
        if self._now() - self._said[stage] >= self._every_s:
            self._said[stage] = self._now()
            self._say(self._paces[stage].line())

    def finish(self, stage: str) -> None:
        """Say how much it was and how long it took."""
        pace = self._paces.pop(stage)
        if pace.done:
            pace.total = None
            rate = pace.rate()
            took = f"took {clock_time(pace.elapsed_s())}"
            what = f"{stage}: {pace.done:,} {pace.unit}".rstrip()
            self._say(", ".join(part for part in (what, took, rate) if part))


_listener: ContextVar[Progress] = ContextVar("tracerlake_progress", default=SilentProgress())  # noqa: B039


def listener() -> Progress:
    """Return the listener of the current context."""
    return _listener.get()


@contextmanager
def listening(progress: Progress) -> Iterator[Progress]:
    """Make `progress` the listener inside the block."""
    token = _listener.set(progress)
    try:
        yield progress
    finally:
        _listener.reset(token)


@contextmanager
def logged_if_nobody_listens(say: Callable[[str], None], every_s: float = 60.0) -> Iterator[None]:
    """Log progress inside the block unless somebody watches already: for scheduled runs."""
    if not isinstance(listener(), SilentProgress):
        yield
        return
    with listening(LineProgress(say, every_s=every_s)):
        yield


@contextmanager
def stage(
    name: str, total: int | None, unit: str = "", total_bytes: int | None = None
) -> Iterator[Progress]:
    """Announce a stage, hand out the listener, and end the stage in any case."""
    progress = listener()
    progress.start(name, total, unit, total_bytes)
    try:
        yield progress
    finally:
        progress.finish(name)
