from __future__ import annotations

import numpy as np
import pytest

from schemas.geometry import FloatArray, Geometry
from schemas.volume import ImageVolume
from tasks.features.peaks import SPHERE_RADIUS_MM, local_peaks
from tasks.features.roi import RoiImage, roi_image


def roi_of(values: FloatArray, spacing: tuple[float, float, float]) -> RoiImage:
    sz, sy, sx = spacing
    nz, ny, nx = values.shape
    geometry = Geometry((nz, ny, nx), np.diag([sx, sy, sz, 1.0]))
    volume = ImageVolume(values.astype(np.float32), geometry, "SUVbw")
    return roi_image(volume, np.ones(values.shape, dtype=np.bool_), SPHERE_RADIUS_MM)


def naive_peaks(roi: RoiImage) -> tuple[float, float]:
    """Every voxel against every other one."""
    spacing = np.array(roi.spacing_mm)
    places = np.argwhere(roi.mask)
    everywhere = np.argwhere(np.isfinite(roi.values))
    means = []
    for place in places:
        near = np.linalg.norm((everywhere - place) * spacing, axis=1) <= SPHERE_RADIUS_MM
        means.append(roi.values[tuple(everywhere[near].T)].mean())
    values = roi.values[roi.mask]
    return max(m for m, v in zip(means, values, strict=True) if v == values.max()), max(means)


def test_sphere_is_one_millilitre() -> None:
    assert pytest.approx(1000.0) == 4 / 3 * np.pi * SPHERE_RADIUS_MM**3
    assert pytest.approx(6.2035, abs=1e-4) == SPHERE_RADIUS_MM


def test_single_hot_voxel_is_spread_over_the_sphere() -> None:
    # 4 mm voxels: centre, 6 faces (4 mm), 12 edges (5.66 mm) are inside, corners (6.93 mm) not
    values = np.zeros((7, 7, 7))
    values[3, 3, 3] = 19.0
    local, highest = local_peaks(roi_of(values, (4.0, 4.0, 4.0)), values >= 0)
    assert local == pytest.approx(1.0)
    assert highest == pytest.approx(1.0)


def test_global_peak_may_lie_beside_the_highest_voxel() -> None:
    values = np.ones((9, 9, 20))
    values[4, 4, 3] = 10.0  # one hot voxel in a cold place
    values[2:7, 2:7, 12:17] = 8.0  # a large warm region
    local, highest = local_peaks(roi_of(values, (4.0, 4.0, 4.0)), values > 1)
    assert local == pytest.approx((10 + 18) / 19)
    assert highest == pytest.approx(8.0)


def test_equal_highest_voxels_take_the_higher_peak() -> None:
    values = np.zeros((7, 7, 20))
    values[3, 3, 3] = values[3, 3, 15] = values[3, 3, 16] = 19.0
    local, _ = local_peaks(roi_of(values, (4.0, 4.0, 4.0)), values > 0)
    assert local == pytest.approx(2.0)


@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (3.27, 4.69, 4.69), (5.0, 1.9, 2.3)])
def test_equals_the_naive_definition(spacing: tuple[float, float, float]) -> None:
    values = np.random.default_rng(5).gamma(2.0, 2.0, (6, 8, 9))
    values[2, 3, 4] = values[0, 0, 0] = np.nan
    roi = roi_of(values, spacing)
    finite = np.isfinite(roi.values)
    expected = naive_peaks(RoiImage(**{**vars(roi), "mask": finite}))
    assert local_peaks(roi, finite) == pytest.approx(expected, rel=1e-12)


def test_no_voxels() -> None:
    values = np.ones((3, 3, 3))
    assert np.isnan(local_peaks(roi_of(values, (4.0, 4.0, 4.0)), values > 2)).all()
