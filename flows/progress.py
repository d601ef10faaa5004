"""Progress of long work, told to whoever listens: a terminal, a log, or nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """A listener to the progress of the stages of a flow."""

    def start(self, stage: str, total: int | None) -> None:
        """Begin a stage of `total` steps (None: unknown)."""

    def advance(self, stage: str, steps: int = 1) -> None:
        """Count `steps` steps as done."""

    def finish(self, stage: str) -> None:
        """End a stage."""


class SilentProgress:
    """Tells nobody."""

    def start(self, stage: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, stage: str, steps: int = 1) -> None:
        """Do nothing."""

    def finish(self, stage: str) -> None:
        """Do nothing."""


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
def stage(name: str, total: int | None) -> Iterator[Progress]:
    """Announce a stage, hand out the listener, and end the stage in any case."""
    progress = listener()
    progress.start(name, total)
    try:
        yield progress
    finally:
        progress.finish(name)
