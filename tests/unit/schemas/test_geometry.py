"""Grids in patient space, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.geometry import Geometry
from schemas.volume import MaskVolume, RawVolume


def _axial() -> Geometry:
    affine = np.array([[2.0, 0, 0, -10], [0, 3, 0, -20], [0, 0, 4, 100], [0, 0, 0, 1]])
    return Geometry((5, 6, 7), affine)


def test_spacing_is_zyx_and_volume_in_ml() -> None:
    grid = _axial()
    assert grid.spacing == (4.0, 3.0, 2.0)
    assert grid.voxel_volume_ml == pytest.approx(0.024)


def test_index_one_two_three_by_hand_and_back() -> None:
    grid = _axial()
    point = grid.to_lps(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(point, [-8.0, -14.0, 112.0])
    np.testing.assert_allclose(grid.to_index(point), [1.0, 2.0, 3.0])


def test_coordinates_of_axial_grids_are_patient_coordinates() -> None:
    z, y, x = _axial().axis_coordinates()
    assert (z[0], z[-1]) == (100.0, 116.0)
    assert (y[0], y[-1]) == (-20.0, -5.0)
    assert (x[0], x[-1]) == (-10.0, 2.0)


def test_oblique_grids_count_from_their_first_voxel() -> None:
    c, s = np.cos(0.3), np.sin(0.3)
    affine = np.array([[c, -s, 0, 5], [s, c, 0, 6], [0, 0, 2, 7], [0, 0, 0, 1]])
    grid = Geometry((2, 3, 4), affine)
    assert not grid.is_axial
    z, y, x = grid.axis_coordinates()
    np.testing.assert_allclose(z, [0, 2])
    np.testing.assert_allclose(x, [0, 1, 2, 3])
    np.testing.assert_allclose(y, [0, 1, 2])


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.nan)])
def test_unusable_affines_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="4 x 4"):
        Geometry((1, 1, 1), bad)


def test_digest_sees_shape_and_affine() -> None:
    moved = np.array(_axial().affine)
    moved[0, 3] += 0.001
    assert _axial().digest() == _axial().digest()
    assert Geometry((5, 6, 7), moved).digest() != _axial().digest()
    assert Geometry((5, 7, 6), _axial().affine).digest() != _axial().digest()


def test_raw_volumes_become_suv_slice_by_slice() -> None:
    stored = np.arange(2 * 1 * 2, dtype=np.int16).reshape(2, 1, 2)  # [[[0, 1]], [[2, 3]]]
    raw = RawVolume(
        stored, np.array([2.0, 10.0]), np.zeros(2), Geometry((2, 1, 2), np.eye(4)), "Bq/ml",
        suv_factor=np.array([0.5, 0.1]),
    )  # fmt: skip
    np.testing.assert_array_equal(raw.values(), [[[0, 2]], [[20, 30]]])
    image = raw.quantified()
    np.testing.assert_allclose(image.values, [[[0, 1]], [[2, 3]]])
    assert image.value_unit == "SUVbw"


def test_arrays_must_fit_their_grid() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        MaskVolume(np.zeros((1, 2, 3), np.uint8), Geometry((1, 2, 2), np.eye(4)))
