"""How fast a stage goes, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Pace:
    """Steps and bytes of a stage over time.

    Parameters
    ----------
    stage : str
        Its name.
    total : int or None
        Steps of the whole stage; None: unknown.
    unit : str
        What a step is, in the plural: ``objects``, ``series``; empty: nothing in particular.
    total_bytes : int or None
        Bytes of the whole stage. Series differ a thousandfold in size, so bytes tell the remaining
        time better than steps where they are known.
    now : callable
        Monotonic time in seconds.

    Examples
    --------
    >>> times = iter([0.0, 10.0, 10.0, 10.0])
    >>> pace = Pace("convert", 4, "series", total_bytes=100_000_000, now=lambda: next(times))
    >>> pace.advance(1, 20_000_000)
    >>> pace.rate()
    '6.0 series/min, 2.0 MB/s'
    >>> pace.remaining_s()
    40.0
    """

    stage: str
    total: int | None = None
    unit: str = ""
    total_bytes: int | None = None
    now: Callable[[], float] = time.monotonic
    done: int = 0
    n_bytes: int = 0
    _started: float = field(init=False)
    _ended: float | None = None

    def __post_init__(self) -> None:
        self._started = self.now()

    def advance(self, steps: int = 1, n_bytes: int = 0) -> None:
        """Count steps and bytes as done."""
        self.done += steps
        self.n_bytes += n_bytes

    def elapsed_s(self) -> float:
        """Seconds since the stage began, or that it took."""
        return (self.now() if self._ended is None else self._ended) - self._started

    def stop(self) -> None:
        """End the stage: its time and rate stay as they are now."""
        self._ended = self.now()

    def rate(self) -> str:
        """Say steps per second, or per minute where they are rare, and MB/s where known."""
        elapsed = self.elapsed_s()
        if elapsed <= 0 or not self.done:
            return ""
        unit = f" {self.unit}" if self.unit else ""
        per_s = self.done / elapsed
        text = f"{per_s:,.1f}{unit}/s" if per_s >= 1 else f"{60 * per_s:,.1f}{unit}/min"
        return f"{text}, {self.n_bytes / 1e6 / elapsed:,.1f} MB/s" if self.n_bytes else text

    def remaining_s(self) -> float | None:
        """Seconds until the end if it goes on like this; None while nobody can tell."""
        elapsed = self.elapsed_s()
        if self.total_bytes and self.n_bytes:
            return max(self.total_bytes - self.n_bytes, 0) * elapsed / self.n_bytes
        if self.total is not None and self.done:
            return max(self.total - self.done, 0) * elapsed / self.done
        return None

    def line(self) -> str:
        """Everything in a line of a log.

        Examples
        --------
        >>> times = iter([0.0, 20.0, 20.0])
        >>> pace = Pace("scan", 3000, "objects", now=lambda: next(times))
        >>> pace.advance(1000)
        >>> pace.line()
        'scan: 1,000 of 3,000 objects, 50.0 objects/s, 0:00:40 left'
        """
        of = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{self.stage}: {self.done:,}{of} {self.unit}".rstrip(), self.rate()]
        remaining = self.remaining_s()
        if remaining:
            parts.append(f"{clock_time(remaining)} left")
        return ", ".join(part for part in parts if part)


def clock_time(seconds: float) -> str:
    """Hours, minutes and seconds.

    Examples
    --------
    >>> clock_time(3725.4)
    '1:02:05'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
