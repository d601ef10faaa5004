"""Wall time by stage of a run, each second counted once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StageClock:
    """Seconds by stage; the time of a stage inside another one is not the outer one's.

    Parameters
    ----------
    now : callable
        Monotonic time in seconds.

    Examples
    --------
    >>> times = iter([0.0, 0.0, 5.0, 7.0, 10.0])
    >>> clock = StageClock(lambda: next(times))
    >>> with clock.measuring("convert"):
    ...     with clock.measuring("commit"):
    ...         pass
    >>> clock.seconds
    {'convert': 8.0, 'commit': 2.0}
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._running: list[str] = []
        self._since = self._started = now()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measuring(self, stage: str) -> Iterator[None]:
        """Count the time inside the block as that of `stage`."""
        self._switch()
        self._running.append(stage)
        try:
            yield
        finally:
            self._switch()
            self._running.pop()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the clock was made."""
        return self._now() - self._started

    def _switch(self) -> None:
        now = self._now()
        if self._running:
            stage = self._running[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now
