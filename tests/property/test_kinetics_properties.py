"""What must hold for kinetics whatever the curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.kinetics import KINETIC_PROFILES
from tasks.kinetics.compartments import TwoTissue, feng_input, frames_of
from tasks.kinetics.frames import FrameTimes, frame_times, frame_weights
from tasks.kinetics.input_function import input_of_curve
from tasks.kinetics.integrals import convolve_exponential, integral_operator
from tasks.kinetics.models import Supply, fit_curve

TIMES = frames_of(((12, 10.0), (8, 15.0), (6, 30.0), (3, 60.0), (16, 300.0)))
RATES = st.floats(0.02, 0.5)
REFERENCE = TwoTissue(0.1, 0.1)


@st.composite
def any_frames(draw: st.DrawFn) -> FrameTimes:
    """Frames with or without gaps, from before the injection or after it."""
    n = draw(st.integers(1, 12))
    duration = np.array([draw(st.floats(5, 600)) for _ in range(n)])
    gap = np.array([draw(st.sampled_from([0.0, 0.0, 30.0, 200.0])) for _ in range(n)])
    start = np.cumsum(duration + gap) - duration - gap
    return frame_times(start, duration, draw(st.sampled_from([-60.0, -7.5, 0.0, 5.0])))


@given(any_frames(), st.floats(-3, 3))
def test_the_integral_of_a_linear_curve_is_exact(times: FrameTimes, slope: float) -> None:
    # linear from the first frame on, or from the injection where the scan began later
    offset = min(float(times.start_s[0]), 0.0)
    ends, starts = times.end_s - offset, times.start_s - offset
    expected = slope * (ends**3 - starts**3) / 6 / times.duration_s
    if times.n == 1 and offset == times.start_s[0]:
        return  # the slope of a single frame cannot be known
    found = integral_operator(times) @ (slope * (times.mid_s - offset))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)


@settings(deadline=None)
@given(any_frames(), st.integers(0, 2**32 - 1), st.floats(1e-4, 0.05))
def test_convolution_is_linear_and_a_slow_rate_is_the_integral(
    times: FrameTimes, seed: int, rate: float
) -> None:
    one, other = np.random.default_rng(seed).uniform(0, 5, (2, times.n))
    k = np.array([rate])
    both = convolve_exponential(times, one + 2 * other, k)
    parts = convolve_exponential(times, one, k) + 2 * convolve_exponential(times, other, k)
    np.testing.assert_allclose(both, parts, rtol=1e-9, atol=1e-9)
    slow = convolve_exponential(times, one, np.array([1e-6]))[0]
    np.testing.assert_allclose(slow, integral_operator(times) @ one, rtol=0.02, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(RATES, RATES, st.floats(0.005, 0.2), st.floats(0.01, 1e5), st.sampled_from(
    ["patlak/1", "logan/1", "ma1/1", "logan-reference/1", "ratio-50/1", "srtm/1"]))  # fmt: skip
def test_the_unit_of_activity_does_not_matter(
    k1: float, k2: float, k3: float, unit: float, name: str
) -> None:
    plasma = feng_input()
    blood = plasma.frame_means(TIMES)
    curve = TwoTissue(k1, k2, k3, 0.03).curve(plasma).frame_means(TIMES)
    reference = REFERENCE.curve(plasma).frame_means(TIMES)
    weights = frame_weights(TIMES, "duration", None)
    one, other = (
        fit_curve(
            KINETIC_PROFILES[name], u * curve,
            Supply(TIMES, weights, input_of_curve(TIMES, u * blood), u * reference),
        )
        for u in (1.0, unit)
    )  # fmt: skip
    # the search for k2a ends within its own tolerance
    rel = 1e-3 if name == "srtm/1" else 1e-6
    for a, b in zip(one.estimates, other.estimates, strict=True):
        assert b.value == pytest.approx(a.value, rel=rel)


@settings(max_examples=30, deadline=None)
@given(RATES, RATES, st.floats(0.005, 0.2), st.floats(0.1, 10))
def test_ki_goes_with_delivery_and_ratio_of_plasma(
    k1: float, k2: float, k3: float, factor: float
) -> None:
    plasma = feng_input()
    blood = plasma.frame_means(TIMES)
    weights = frame_weights(TIMES, "duration", None)
    curve = TwoTissue(k1, k2, k3).curve(plasma).frame_means(TIMES)
    profile = KINETIC_PROFILES["patlak/1"]
    ki = fit_curve(profile, curve, Supply(TIMES, weights, input_of_curve(TIMES, blood))).value("ki")
    more = fit_curve(profile, factor * curve, Supply(TIMES, weights, input_of_curve(TIMES, blood)))
    less = fit_curve(profile, curve, Supply(TIMES, weights, input_of_curve(TIMES, blood, factor)))
    assert more.value("ki") == pytest.approx(factor * ki)
    assert less.value("ki") == pytest.approx(ki / factor)
    assert ki <= k1 * 1.001  # no tissue takes up more than is delivered
