"""Frame times are checked and counted from the injection."""

from __future__ import annotations

import math

import numpy as np
import pytest

from schemas.errors import KineticsRefusedError
from tasks.kinetics.frames import FrameTimes, decay_factors, frame_times, frame_weights


def test_times_count_from_the_injection() -> None:
    times = frame_times(np.array([0.0, 10.0, 20.0]), np.array([10.0, 10.0, 60.0]), 10.0)
    assert times.start_s.tolist() == [-10, 0, 10]
    assert times.mid_s.tolist() == [-5, 5, 40]
    assert times.end_s.tolist() == [0, 10, 70]
    assert times.gap_s.tolist() == [0, 0]


def test_rounded_clocks_are_no_gaps_but_long_gaps_are() -> None:
    # ends at 10.0, 20.4 (next start 20), 49 (next start 50), 79 (next start 100)
    start, duration = (
        np.array([0.0, 10.0, 20.0, 50.0, 100.0]),
        np.array([10.0, 10.4, 29.0, 29.0, 9]),
    )
    times = frame_times(start, duration)
    assert times.gap_s.round(9).tolist() == [0, 0, 0, 21]
    assert times.duration_s.round(9).tolist() == [10, 10, 30, 29, 9]


def test_a_second_is_much_of_a_short_frame() -> None:
    with pytest.raises(KineticsRefusedError, match="frames_overlap"):
        frame_times(np.array([0.0, 1.5]), np.array([2.0, 2.0]))


@pytest.mark.parametrize(
    ("start", "duration", "reason"),
    [
        (None, [10.0], "no_frame_times"),
        ([0.0], None, "no_frame_times"),
        ([0.0, np.nan], [10.0, 10.0], "no_frame_times"),
        ([], [], "no_frame_times"),
        ([0.0, 10.0], [10.0, 0.0], "frame_duration"),
        ([0.0, 10.0], [20.0, 10.0], "frames_overlap"),
        ([10.0, 0.0], [10.0, 10.0], "frames_overlap"),
    ],
)
def test_frames_that_are_none_are_refused_by_name(
    start: list[float] | None, duration: list[float] | None, reason: str
) -> None:
    with pytest.raises(KineticsRefusedError) as refused:
        frame_times(
            None if start is None else np.array(start),
            None if duration is None else np.array(duration),
        )
    assert refused.value.reason_code == f"kinetics.{reason}"


def test_the_decay_factor_undoes_the_decay_of_a_frame() -> None:
    half_life_s, start, duration = 1200.0, 600.0, 900.0
    rate = math.log(2) / half_life_s
    # mean over the frame of exp(-rate t)
    mean = (math.exp(-rate * start) - math.exp(-rate * (start + duration))) / (rate * duration)
    times = FrameTimes(np.array([start]), np.array([duration]))
    assert decay_factors(times, half_life_s)[0] == pytest.approx(1 / mean, rel=1e-12)


def test_weights_have_the_mean_1() -> None:
    times = FrameTimes(np.array([0.0, 10.0]), np.array([10.0, 1200.0]))
    for weighting in ("uniform", "duration", "duration_decay"):
        assert frame_weights(times, weighting, 1200.0).mean() == pytest.approx(1)
    with pytest.raises(ValueError, match="half-life None"):
        frame_weights(times, "duration_decay", None)
