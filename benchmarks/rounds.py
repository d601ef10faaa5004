"""Interleaved rounds: every contestant runs once a round, so that all share the machine's moods."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Does the work once; what it returns is the time to count if that is not the whole call.
Contestant = Callable[[], float | None]


@dataclass(frozen=True)
class Comparison:
    """Ours against one peer.

    Parameters
    ----------
    row : str
        What was measured.
    unit : str
        Of `ours` and `theirs`.
    ours, theirs : float
        Medians over rounds.
    ratio, lowest, highest : float
        Median, minimum and maximum over rounds of ours / theirs within a round.
    rounds : int
    """

    row: str
    peer: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    lowest: float
    highest: float
    rounds: int


def run_rounds(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, list[float]]:
    """Run all contestants in turn, once unmeasured to warm up, then `rounds` times.

    The order turns with every round, so that nobody always runs after the same neighbour.

    Returns
    -------
    dict
        Seconds per round, by contestant.
    """
    names = list(contestants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-1, rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            gc.collect()
            start = time.perf_counter()
            stated = contestants[name]()
            elapsed = time.perf_counter() - start
            if turn >= 0:
                seconds[name].append(elapsed if stated is None else stated)
    return seconds


def compare(
    row: str, measured: Mapping[str, list[float]], ours: str, unit: str = "s"
) -> list[Comparison]:
    """Compare ours with every other contestant, round by round."""
    mine = measured[ours]
    found = []
    for peer, theirs in measured.items():
        if peer == ours:
            continue
        ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
        found.append(
            Comparison(
                row=row,
                peer=peer,
                unit=unit,
                ours=statistics.median(mine),
                theirs=statistics.median(theirs),
                ratio=statistics.median(ratios),
                lowest=min(ratios),
                highest=max(ratios),
                rounds=len(ratios),
            )
        )
    return found


def silent(work: Callable[[], object]) -> Contestant:
    """Drop what the work returns: the whole call is timed."""

    def run() -> None:
        work()

    return run


def peak_megabytes(work: Callable[[], object]) -> float:
    """Most memory that Python and numpy held during the work, in MB."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
