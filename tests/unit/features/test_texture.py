from __future__ import annotations

import numpy as np
import pytest

from schemas.features import FEATURES
from schemas.geometry import Geometry
from schemas.profiles import FeatureProfile
from schemas.volume import ImageVolume
from tasks.features.cooccurrence import DIRECTIONS, cooccurrence_3d_merged
from tasks.features.discretise import GreyLevels, discretise
from tasks.features.glcm import glcm_features
from tasks.features.roi import RoiImage, roi_image


def roi_of(row: list[float], unit: str = "SUVbw") -> RoiImage:
    values = np.array(row, dtype=np.float32).reshape(1, 1, -1)
    geometry = Geometry((1, 1, len(row)), np.diag([4.0, 4.0, 4.0, 1.0]))
    return roi_image(ImageVolume(values, geometry, unit), np.isfinite(values), 0.0)


def fbs(width: float, lowest: float | None = None) -> FeatureProfile:
    return FeatureProfile("fbs", "fbs", width, 64, lowest, None)


def fbn(count: int) -> FeatureProfile:
    return FeatureProfile("fbn", "fbn", 1.0, count, None, None)


def grey(levels: list[list[int]], n_levels: int | None = None) -> GreyLevels:
    array = np.array(levels, dtype=np.int32)[None]
    return GreyLevels(array, n_levels or int(array.max()))


def test_directions_are_half_of_the_neighbours() -> None:
    assert len(DIRECTIONS) == 13
    both = {*DIRECTIONS, *((-z, -y, -x) for z, y, x in DIRECTIONS)}
    assert len(both) == 26


def test_fixed_size_counts_from_zero_for_suv() -> None:
    found = discretise(roi_of([0.5, 0.99, 1.0, 2.6]), fbs(0.5))
    assert found.levels.ravel().tolist() == [2, 2, 3, 6]
    assert found.n_levels == 6


def test_fixed_size_counts_from_the_lowest_for_other_units() -> None:
    found = discretise(roi_of([-100.0, -76.0, -75.0, 0.0], "HU"), fbs(25.0))
    assert found.levels.ravel().tolist() == [1, 1, 2, 5]


def test_fixed_size_counts_from_the_resegmentation() -> None:
    found = discretise(roi_of([0.5, 1.0, 2.6]).resegmented(0.5, None), fbs(0.5, lowest=0.5))
    assert found.levels.ravel().tolist() == [1, 2, 5]


def test_negative_suv_gets_the_lowest_level() -> None:
    assert discretise(roi_of([-0.7, 0.1, 0.6]), fbs(0.5)).levels.ravel().tolist() == [1, 1, 2]


def test_fixed_number_puts_the_highest_into_the_last_bin() -> None:
    found = discretise(roi_of([1.0, 1.9, 2.0, 4.9, 5.0]), fbn(4))
    assert found.levels.ravel().tolist() == [1, 1, 2, 4, 4]
    assert found.n_levels == 4


def test_one_grey_level() -> None:
    assert discretise(roi_of([3.0, 3.0]), fbn(8)).levels.ravel().tolist() == [1, 1]


def test_bin_width_that_does_not_fit_the_unit() -> None:
    found = discretise(roi_of([10.0, 20000.0], "Bq/ml"), fbs(0.25))
    assert found.n_levels == 80001
    assert not found.is_usable


def test_matrix_by_hand() -> None:
    # 1 2   pairs: rows 1-2, 2-2; columns 1-2, 2-2; diagonals 1-2, 2-2: each counted both ways
    # 2 2
    matrix = cooccurrence_3d_merged(grey([[1, 2], [2, 2]]), 1)
    cells = dict(zip(zip(matrix.i, matrix.j, strict=True), matrix.p, strict=True))
    assert cells == {
        (1.0, 2.0): pytest.approx(3 / 12),
        (2.0, 1.0): pytest.approx(3 / 12),
        (2.0, 2.0): pytest.approx(6 / 12),
    }


def test_background_makes_no_pairs() -> None:
    matrix = cooccurrence_3d_merged(grey([[1, 0, 2]]), 1)
    assert matrix.p.size == 0


def test_distance_skips_voxels() -> None:
    matrix = cooccurrence_3d_merged(grey([[1, 0, 2]]), 2)
    assert sorted(zip(matrix.i, matrix.j, strict=True)) == [(1.0, 2.0), (2.0, 1.0)]
    assert cooccurrence_3d_merged(grey([[1, 0, 2]]), 3).p.size == 0


def test_dense_and_sorted_counting_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.random.default_rng(2).integers(0, 9, (5, 6, 7)).astype(np.int32)
    dense = cooccurrence_3d_merged(GreyLevels(levels, 8), 1)
    monkeypatch.setattr("tasks.features.cooccurrence._DENSE_CELLS", 1)
    by_sorting = cooccurrence_3d_merged(GreyLevels(levels, 8), 1)
    np.testing.assert_array_equal(dense.p, by_sorting.p)
    np.testing.assert_array_equal(dense.i, by_sorting.i)


def test_features_by_hand() -> None:
    features = glcm_features(cooccurrence_3d_merged(grey([[1, 2], [2, 2]]), 1))
    assert features["joint_maximum"] == pytest.approx(0.5)
    assert features["joint_average"] == pytest.approx(0.25 * 1 + 0.75 * 2)
    assert features["contrast"] == pytest.approx(0.5)
    assert features["joint_entropy"] == pytest.approx(1.5)
    assert features["angular_second_moment"] == pytest.approx(0.375)
    assert features["inverse_difference"] == pytest.approx(0.5 + 0.5 / 2)
    assert features["normalised_inverse_difference"] == pytest.approx(0.5 + 0.5 / 1.5)
    assert features["inverse_variance"] == pytest.approx(0.5)
    assert features["correlation"] == pytest.approx((3.0 - 1.75**2) / 0.1875)
    assert {f"glcm_{name}" for name in features} == {
        n for n, d in FEATURES.items() if d.family == "glcm"
    }


def test_single_level_is_defined_or_nan() -> None:
    features = glcm_features(cooccurrence_3d_merged(grey([[3, 3, 3]]), 1))
    undefined = {name for name, value in features.items() if np.isnan(value)}
    assert undefined == {"correlation", "information_correlation_1"}
    assert features["joint_maximum"] == 1.0
    assert features["joint_entropy"] == 0.0
    assert features["information_correlation_2"] == 0.0
