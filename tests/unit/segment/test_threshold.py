from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import InvalidInputError, RejectedObjectError
from schemas.geometry import Geometry
from schemas.volume import ImageVolume
from tasks.segment import threshold
from tasks.segment.threshold import connected_regions, fixed_threshold, relative_threshold

GRID = Geometry((6, 8, 10), np.diag([10.0, 10.0, 10.0, 1.0]))  # voxels of 1 ml


def volume(unit: str = "SUVbw") -> ImageVolume:
    values = np.ones(GRID.shape, dtype=np.float32)
    values[0, 0, 0:2] = 4.0  # 2 ml, exactly at the limit
    values[2, 2:4, 2:4] = 6.0  # 4 ml
    values[3, 4, 4] = 5.0  # touches the 4 ml region at a corner: 5 ml
    values[5, 7, 9] = 9.0  # 1 ml
    values[0, 7, 8:10] = 4.5  # 2 ml, later than the first
    return ImageVolume(values, GRID, unit)


def test_regions_are_numbered_by_size_then_place() -> None:
    labels = fixed_threshold(volume(), 4.0)
    assert labels.dtype == np.uint16
    assert np.bincount(labels.ravel())[1:].tolist() == [5, 2, 2, 1]
    assert labels[3, 4, 4] == labels[2, 2, 2] == 1
    assert (labels[0, 0, 0], labels[0, 7, 8], labels[5, 7, 9]) == (2, 3, 4)


def test_small_regions_are_left_out() -> None:
    labels = fixed_threshold(volume(), 4.0, minimum_volume_ml=2.0)
    assert labels.max() == 3
    assert labels[5, 7, 9] == 0
    assert fixed_threshold(volume(), 4.0, minimum_volume_ml=2.1).max() == 1


def test_nothing_above_the_limit() -> None:
    assert not fixed_threshold(volume(), 50.0).any()


def test_values_that_are_not_finite_are_background() -> None:
    image = volume()
    image.values[2, 2, 2] = np.nan
    assert fixed_threshold(image, 4.0)[2, 2, 2] == 0


@pytest.mark.parametrize("unit", ["Bq/ml", "CNTS", "HU"])
def test_suv_limit_needs_suv(unit: str) -> None:
    with pytest.raises(InvalidInputError, match="SUVbw"):
        fixed_threshold(volume(unit), 4.0)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_limit_must_be_positive(limit: float) -> None:
    with pytest.raises(InvalidInputError, match="positive"):
        fixed_threshold(volume(), limit)


def test_fraction_of_the_maximum_in_a_box() -> None:
    box = (slice(0, 4), slice(0, 8), slice(0, 10))  # without the voxel of 9
    labels = relative_threshold(volume("CNTS"), 0.8, box)  # 0.8 x 6 = 4.8
    assert np.bincount(labels.ravel())[1:].tolist() == [5]
    assert relative_threshold(volume(), 0.8).max() == 1  # 7.2: the voxel of 9 alone
    assert relative_threshold(volume(), 0.8)[5, 7, 9] == 1


def test_fraction_of_nothing_is_nothing() -> None:
    empty = ImageVolume(np.zeros(GRID.shape, dtype=np.float32), GRID, "SUVbw")
    assert not relative_threshold(empty, 0.41).any()
    assert not relative_threshold(volume(), 0.41, (slice(2, 2), slice(0, 8), slice(0, 10))).any()


@pytest.mark.parametrize("fraction", [0.0, -0.4, 1.1])
def test_fraction_must_be_one(fraction: float) -> None:
    with pytest.raises(InvalidInputError, match="fraction"):
        relative_threshold(volume(), fraction)


def test_more_regions_than_labels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold, "_MOST_COMPONENTS", 3)
    with pytest.raises(RejectedObjectError, match="4 separate regions"):
        connected_regions(volume().values >= 4.0, 1.0, 0.0)
