"""What must hold for features of any region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.geometry import Geometry
from schemas.profiles import PET_FBN_64, PET_FBS_025
from schemas.volume import ImageVolume
from tasks.features.extract import extract
from tasks.features.families import FAMILIES
from tasks.features.roi import roi_image

SHAPE = (11, 12, 13)


def volume(seed: int, spacing: tuple[float, float, float] = (3.27, 4.69, 4.69)) -> ImageVolume:
    sz, sy, sx = spacing
    values = np.random.default_rng(seed).gamma(2.0, 2.0, SHAPE).astype(np.float32)
    return ImageVolume(values, Geometry(SHAPE, np.diag([sx, sy, sz, 1.0])), "SUVbw")


def region(seed: int, fraction: float) -> NDArray[np.bool_]:
    return np.random.default_rng(seed + 1).random(SHAPE) < fraction


@given(seed=st.integers(0, 10_000), fraction=st.sampled_from([0.002, 0.02, 0.3, 1.0]))
@settings(max_examples=25, deadline=None)
def test_box_gives_what_the_whole_volume_gives(seed: int, fraction: float) -> None:
    image, mask = volume(seed), region(seed, fraction)
    mask[:3] = mask[:, 8:] = False
    whole = roi_image(image, mask, margin_mm=1e4)
    assert not mask.any() or whole.values.shape == SHAPE
    whole = whole.resegmented(PET_FBS_025.resegment_min, PET_FBS_025.resegment_max)
    box = extract(image, mask, PET_FBS_025).values
    for family in FAMILIES.select(PET_FBS_025.families):
        for name, value in family.compute(whole, PET_FBS_025).items():
            assert box[name] == pytest.approx(value, rel=1e-10, nan_ok=True), name


@given(
    seed=st.integers(0, 10_000),
    axes=st.permutations([0, 1, 2]),
    flips=st.tuples(*[st.sampled_from([1, -1])] * 3),
)
@settings(max_examples=25, deadline=None)
def test_turning_the_grid_changes_nothing(
    seed: int, axes: list[int], flips: tuple[int, int, int]
) -> None:
    image, mask = volume(seed, (4.0, 4.0, 4.0)), region(seed, 0.2)
    turn = tuple(slice(None, None, f) for f in flips)
    values = np.ascontiguousarray(image.values.transpose(axes)[turn])
    nz, ny, nx = values.shape
    turned = ImageVolume(values, Geometry((nz, ny, nx), image.geometry.affine), "SUVbw")
    before = extract(image, mask, PET_FBS_025).values
    after = extract(turned, mask.transpose(axes)[turn], PET_FBS_025).values
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 1000.0))
@settings(max_examples=25, deadline=None)
def test_scale_of_the_values(seed: int, scale: float) -> None:
    image, mask = volume(seed), region(seed, 0.2)
    scaled = image.with_values((image.values.astype(np.float64) * scale).astype(np.float32))
    one, other = (extract(v, mask, PET_FBN_64).values for v in (image, scaled))
    for name in ("suv_max", "suv_mean", "suv_peak_global", "tlg_g", "stat_interquartile_range"):
        assert other[name] == pytest.approx(one[name] * scale, rel=1e-5)
    for name in ("stat_skewness", "stat_coefficient_of_variation", "stat_kurtosis"):
        assert other[name] == pytest.approx(one[name], rel=1e-3, abs=1e-4)


@given(seed=st.integers(0, 10_000), fraction=st.floats(0.0, 1.0))
@settings(max_examples=40, deadline=None)
def test_order_of_the_uptake_values(seed: int, fraction: float) -> None:
    mask = region(seed, fraction)
    found = extract(volume(seed), mask, PET_FBS_025).values
    if mask.any():
        assert found["suv_mean"] <= found["suv_max"]
        assert found["suv_peak_maxvoxel"] <= found["suv_peak_global"] * (1 + 1e-12)
        assert found["stat_p10"] <= found["stat_median"] <= found["stat_p90"]
