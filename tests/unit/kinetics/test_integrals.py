"""Integrals of means over frames, held against exact curves."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.geometry import FloatArray
from tasks.kinetics.compartments import FDG_FRAMES, feng_input, frames_of
from tasks.kinetics.frames import FrameTimes
from tasks.kinetics.integrals import convolve_exponential, integral_operator

GAPS = FrameTimes(np.array([0.0, 30.0, 100.0, 400.0]), np.array([30.0, 50.0, 200.0, 600.0]))
LATE = FrameTimes(np.array([20.0, 60.0, 200.0]), np.array([40.0, 140.0, 300.0]))
EARLY = FrameTimes(np.array([-10.0, 0.0, 30.0]), np.array([10.0, 30.0, 300.0]))


@pytest.mark.parametrize("times", [GAPS, LATE])
def test_a_curve_linear_in_time_is_exact(times: FrameTimes) -> None:
    # c = 3 t: mean over a frame 3 mid; integral 1.5 t^2, its mean 0.5 (end^3 - start^3) / duration
    expected = 0.5 * (times.end_s**3 - times.start_s**3) / times.duration_s
    np.testing.assert_allclose(integral_operator(times) @ (3 * times.mid_s), expected, rtol=1e-12)


def test_a_measured_lead_needs_no_assumption() -> None:
    # nothing before the injection, 2 from then on
    curve = np.array([0.0, 2.0, 2.0])
    found = integral_operator(EARLY) @ curve
    # the slopes of the parabola at the step move the first two frames only
    assert found[2] == pytest.approx(2 * 180)


def test_a_late_scan_rises_in_a_straight_line_from_the_injection() -> None:
    # one frame 20 s to 60 s with mean 40: the line is 1 / s, its integral at 20 s is 200
    times = FrameTimes(np.array([20.0]), np.array([40.0]))
    found = integral_operator(times) @ np.array([40.0])
    # mean over 20..60 s of t^2 / 2: (60^3 - 20^3) / 6 / 40
    assert found[0] == pytest.approx((60**3 - 20**3) / 6 / 40)


def test_the_integral_of_a_bolus_is_good_from_the_second_minute_on() -> None:
    times, curve = frames_of(FDG_FRAMES), feng_input()
    exact = curve.integral().frame_means(times) * 60
    found = integral_operator(times) @ curve.frame_means(times)
    error = np.abs(found / exact - 1)
    assert error[times.start_s >= 60].max() < 1e-4
    assert error[1:].max() < 0.01  # the first 10 s hold the steepest rise


def test_convolution_against_the_exact_response() -> None:
    times, curve = frames_of(FDG_FRAMES), feng_input()
    rates = np.array([0.02, 0.1, 0.5])
    found = convolve_exponential(times, curve.frame_means(times), rates / 60) / 60
    for row, rate in zip(found, rates, strict=True):
        exact = curve.convolved(rate).frame_means(times)
        error = np.abs(row / exact - 1)
        assert error[times.start_s >= 60].max() < 2e-3
        assert error[times.start_s >= 1200].max() < 5e-4


def test_convolution_of_a_constant_by_hand() -> None:
    # 1 (x) exp(-k t) = (1 - exp(-k t)) / k; its mean over 0..d: (1 - (1 - exp(-k d)) / (k d)) / k
    times = FrameTimes(np.array([0.0]), np.array([100.0]))
    k = 0.03
    expected = (1 - (1 - np.exp(-k * 100)) / (k * 100)) / k
    found = convolve_exponential(times, np.ones(1), np.array([k]))
    assert found[0, 0] == pytest.approx(expected, rel=1e-12)


def test_gaps_are_bridged_by_a_line() -> None:
    # between the middles 5 s and 35 s of the frames the line is 10 + 20 (t - 5) / 30
    times = FrameTimes(np.array([0.0, 30.0]), np.array([10.0, 10.0]))
    gap_mean = 10 + 20 * (20 - 5) / 30
    curve: FloatArray = np.array([10.0, 30.0])
    slope = 20 / 30
    expected = 100 + 20 * gap_mean + 150 - slope * 10**2 / 12
    assert (integral_operator(times) @ curve)[1] == pytest.approx(expected)
