from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import InvalidInputError
from schemas.geometry import Geometry
from schemas.volume import ImageVolume
from tasks.features.roi import roi_image

AFFINE = np.array([[2.0, 0, 0, -50], [0, -3, 0, 70], [0, 0, 4, 10], [0, 0, 0, 1]])
GRID = Geometry((10, 11, 12), AFFINE)
VOLUME = ImageVolume(np.arange(10 * 11 * 12, dtype=np.float32).reshape(10, 11, 12), GRID, "SUVbw")


def one_voxel(z: int, y: int, x: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]:
    mask = np.zeros((10, 11, 12), dtype=np.bool_)
    mask[z, y, x] = True
    return mask


def test_box_and_margin_in_whole_voxels() -> None:
    roi = roi_image(VOLUME, one_voxel(5, 5, 5), margin_mm=6.2)
    assert roi.values.shape == (3, 5, 7)  # 1, 2 and 3 voxels of 4, 3 and 2 mm
    assert roi.values.dtype == np.float64
    np.testing.assert_array_equal(roi.values, VOLUME.values[4:7, 3:8, 2:9])
    assert np.argwhere(roi.mask).tolist() == [[1, 2, 3]]


def test_box_lies_where_it_was_cut() -> None:
    roi = roi_image(VOLUME, one_voxel(5, 5, 5), margin_mm=6.2)
    here = roi.geometry.to_lps(np.array([3.0, 2.0, 1.0]))
    np.testing.assert_allclose(here, GRID.to_lps(np.array([5.0, 5.0, 5.0])))
    assert roi.spacing_mm == GRID.spacing


def test_margin_ends_at_the_edge_of_the_volume() -> None:
    roi = roi_image(VOLUME, one_voxel(0, 10, 0), margin_mm=6.2)
    assert roi.values.shape == (2, 3, 4)


def test_margin_of_exactly_some_voxels_includes_the_last() -> None:
    assert roi_image(VOLUME, one_voxel(5, 5, 5), margin_mm=6.0).values.shape == (3, 5, 7)


def test_empty_region() -> None:
    roi = roi_image(VOLUME, np.zeros(GRID.shape, dtype=np.bool_), margin_mm=6.2)
    assert roi.values.shape == (1, 1, 1)
    assert not roi.mask.any()
    assert roi.volume_ml == 0.0


def test_not_finite_voxels_have_no_intensity_but_a_volume() -> None:
    values = VOLUME.values.copy()
    mask = np.zeros(GRID.shape, dtype=np.bool_)
    mask[2, 2, 2:5] = True
    values[2, 2, 3] = np.nan
    roi = roi_image(VOLUME.with_values(values), mask, margin_mm=0.0)
    assert roi.intensities.size == 2
    assert roi.volume_ml == pytest.approx(3 * 0.024)


def test_resegmentation_keeps_both_limits() -> None:
    mask = np.zeros(GRID.shape, dtype=np.bool_)
    mask[0, 0, :6] = True  # 0 to 5
    roi = roi_image(VOLUME, mask, margin_mm=0.0)
    assert roi.resegmented(1.0, 4.0).intensities.tolist() == [1, 2, 3, 4]
    assert roi.resegmented(None, 2.0).intensities.tolist() == [0, 1, 2]
    assert roi.resegmented(3.0, None).mask.sum() == 6


def test_mask_of_another_grid_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="grid"):
        roi_image(VOLUME, np.zeros((3, 3, 3), dtype=np.bool_), margin_mm=0.0)
