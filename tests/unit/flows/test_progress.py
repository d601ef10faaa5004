"""Rates, remaining time, and lines that come now and then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress as RichBars

from flows.cli.terminal import RichProgress
from flows.pace import Pace, clock_time
from flows.progress import (
    LineProgress,
    SilentProgress,
    listener,
    listening,
    logged_if_nobody_listens,
    stage,
)


class Clock:
    """Time that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_bytes_tell_the_remaining_time_of_series_of_different_size() -> None:
    clock = Clock()
    pace = Pace("convert", 10, "series", total_bytes=1_000, now=clock)
    assert pace.remaining_s() is None
    clock.now = 30.0
    pace.advance(9, n_bytes=100)  # nine contour sets; the one CT is still to come
    assert pace.remaining_s() == pytest.approx(270.0)
    assert Pace("x", 10, now=clock).remaining_s() is None


def test_rare_steps_are_counted_by_the_minute() -> None:
    clock = Clock()
    pace = Pace("convert", None, "series", now=clock)
    clock.now = 120.0
    pace.advance(3)
    assert pace.rate() == "1.5 series/min"
    pace.advance(597)
    assert pace.rate() == "5.0 series/s"


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.floats(0.01, 1e6))
def test_at_a_constant_pace_elapsed_and_remaining_are_the_whole(
    total: int, done: int, seconds: float
) -> None:
    clock = Clock()
    pace = Pace("scan", total, now=clock)
    clock.now = seconds
    pace.advance(done)
    remaining = pace.remaining_s()
    if done == 0:
        assert remaining is None
    else:
        assert remaining is not None
        expected = max(total / done, 1.0) * seconds
        assert seconds + remaining == pytest.approx(expected, rel=1e-9)


def test_lines_come_every_so_many_seconds_and_at_the_end() -> None:
    clock, said = Clock(), list[str]()
    progress = LineProgress(said.append, every_s=30.0, now=clock)
    with listening(progress), stage("scan", 100, "objects") as told:
        for second in range(1, 101):
            clock.now = float(second)
            told.advance("scan")
    assert said == [
        "scan: 30 of 100 objects, 1.0 objects/s, 0:01:10 left",
        "scan: 60 of 100 objects, 1.0 objects/s, 0:00:40 left",
        "scan: 90 of 100 objects, 1.0 objects/s, 0:00:10 left",
        "scan: 100 objects, took 0:01:40, 1.0 objects/s",
    ]


def test_a_stage_without_steps_says_nothing() -> None:
    said: list[str] = []
    with listening(LineProgress(said.append)), stage("retrieve", None, "objects"):
        pass
    assert said == []


def test_a_scheduled_run_is_logged_and_a_watched_one_is_not() -> None:
    said: list[str] = []
    with logged_if_nobody_listens(said.append), stage("scan", 1, "objects") as told:
        told.advance("scan")
    assert len(said) == 1
    watching = LineProgress(lambda _: None)
    with listening(watching), logged_if_nobody_listens(said.append):
        assert listener() is watching
    assert isinstance(listener(), SilentProgress)


def test_bars_show_rate_megabytes_and_what_is_left() -> None:
    from flows.cli import terminal

    console = Console(force_terminal=True, width=150)
    clock = Clock()
    columns = (terminal._RateColumn(), terminal._RemainingColumn())
    with console.capture() as shown, RichBars(*columns, console=console) as bars:
        progress = RichProgress(bars)
        progress.start("convert", 4, "series", 40_000_000)
        progress._paces["convert"] = pace = bars.tasks[0].fields["pace"]
        pace.now, pace._started = clock, 0.0
        clock.now = 10.0
        progress.advance("convert", 2, 10_000_000)
        bars.refresh()
    text = shown.get()
    assert "12.0 series/min, 1.0 MB/s" in text
    assert "0:00:30 left" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00:00"), (59.6, "0:01:00"), (86400, "24:00:00")]
)
def test_clock_time(seconds: float, text: str) -> None:
    assert clock_time(seconds) == text
