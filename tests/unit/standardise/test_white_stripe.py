"""White stripe against tissues whose white matter is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from tasks.standardise.normalise import NoReferenceError
from tasks.standardise.white_stripe import NoWhiteStripeError, foreground, white_stripe

Tissue = tuple[float, float, float]  # mean, standard deviation, share
T1: list[Tissue] = [(30.0, 8.0, 0.2), (60.0, 6.0, 0.4), (100.0, 6.0, 0.4)]
T2: list[Tissue] = [(65.0, 6.0, 0.5), (95.0, 6.0, 0.35), (150.0, 10.0, 0.15)]


def brain(tissues: list[Tissue], n: int = 200_000, seed: int = 3) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return np.concatenate(
        [random.normal(mean, spread, round(n * share)) for mean, spread, share in tissues]
    )


def spread_of_stripe(spread: float, share: float) -> float:
    """Of a normal distribution cut at the quantiles 0.5 +- 0.05 / share."""
    z = float(norm.ppf(0.5 + 0.05 / share))
    return spread * math.sqrt(1 - 2 * z * norm.pdf(z) / (0.1 / share))


def error_of_mode(white: Tissue, values: NDArray[np.float64]) -> float:
    """Standard error of a mode of a Gaussian kernel density (Parzen 1962), without its bias.

    The variance is ``f(m) R(K') / (n h^3 f''(m)^2)``; here f is `share` times a normal density and
    R(K') = 1 / (4 sqrt(pi)).
    """
    _, spread, share = white
    height = share / (spread * math.sqrt(2 * math.pi))
    bandwidth = values.std() * values.size**-0.2
    curvature = height / (spread**2 + bandwidth**2)
    return math.sqrt(
        height / (4 * math.sqrt(math.pi) * values.size * bandwidth**3) / curvature**2
    )  # fmt: skip


@pytest.mark.parametrize("noise", [0.5, 1.0, 1.5])
@pytest.mark.parametrize(
    ("tissues", "place", "contrast"), [(T1, 2, "T1"), (T2, 0, "T2"), (T2, 0, "FLAIR")]
)
def test_white_matter_is_found(
    tissues: list[Tissue], place: int, contrast: str, noise: float
) -> None:
    noisy = [(mean, spread * noise, share) for mean, spread, share in tissues]
    values = brain(noisy)
    mean, spread, share = noisy[place]
    found = white_stripe(values, contrast)
    tolerance = 5 * error_of_mode(noisy[place], values) + np.ptp(values) / 2048
    assert tolerance < 0.15 * spread
    assert found.mean == pytest.approx(mean, abs=tolerance)
    assert found.standard_deviation == pytest.approx(spread_of_stripe(spread, share), rel=0.03)
    assert found.n_voxels == pytest.approx(0.1 * values.size, abs=2)


def test_the_contrast_says_which_peak_it_is() -> None:
    assert white_stripe(brain(T2), "T1").mean == pytest.approx(150, abs=3)  # fluid
    assert white_stripe(brain(T1), "T1").mean == pytest.approx(100, abs=1)


def test_bright_tail_is_no_tissue() -> None:
    """Vessels and fat, 2 % of the voxels, as a peak of their own."""
    values = np.concatenate([brain(T1), np.random.default_rng(4).normal(300, 2, 4000)])
    assert white_stripe(values, "T1").mean == pytest.approx(100, abs=0.5)


def test_air_is_no_foreground() -> None:
    """Magnitude of noise in air (Rayleigh), as in every MR image."""
    air = np.random.default_rng(5).rayleigh(4.0, 400_000)
    image = np.concatenate([air, brain(T1), [np.nan, np.inf]])
    head = foreground(image)
    assert head.min() > air.max()
    # the mean of all is 23: hardly more than the dark part of the fluid falls below
    assert white_stripe(head, "T1").mean == pytest.approx(100, abs=0.5)


@settings(max_examples=30, deadline=None)
@given(
    factor=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3), contrast=st.sampled_from(["T1", "T2"])
)
def test_gain_and_offset_of_the_scanner_do_not_count(
    factor: float, shift: float, contrast: str
) -> None:
    air = np.abs(np.random.default_rng(5).normal(0, 4.0, 20_000))
    image = np.concatenate([air, brain(T1 if contrast == "T1" else T2, 20_000)])
    before = white_stripe(foreground(image), contrast)
    after = white_stripe(foreground(factor * image + shift), contrast)
    ours = (image - before.mean) / before.standard_deviation
    theirs = (factor * image + shift - after.mean) / after.standard_deviation
    # rounding may move the peak by one of 2048 bins
    assert np.allclose(ours, theirs, rtol=0.02, atol=0.05)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros(0), "has 0 foreground voxels"),
        (np.full(5000, np.nan), "has 0 foreground voxels"),
        (np.arange(999.0), "has 999 foreground voxels"),
        (np.full(5000, 7.0), "is constant"),
        (np.concatenate([np.full(5000, 7.0), [9.0]]), "is constant"),
        (np.arange(100_000.0), "no peak"),  # uniform
        (np.random.default_rng(6).exponential(1.0, 100_000), "no peak"),
        (np.repeat([10.0, 20.0, 30.0], [3000, 9000, 3000]), "no spread"),
    ],
)
def test_an_image_without_white_matter_is_refused(values: NDArray[np.float64], reason: str) -> None:
    with pytest.raises(NoWhiteStripeError, match=reason) as caught:
        white_stripe(values, "T1")
    assert isinstance(caught.value, NoReferenceError)


def test_a_constant_image_has_no_foreground() -> None:
    assert foreground(np.full((4, 4, 4), 3.0)).size == 0
    assert foreground(np.zeros(0)).size == 0
