"""Thumbnails: which way up, which window, and that pieces give what the whole gives."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry
from tasks.pictures.projections import Flat, projections
from tasks.pictures.thumbnail import (
    emission_thumbnail,
    planar_thumbnail,
    planes_thumbnail,
)

SHAPE = (30, 20, 24)
GRID = Geometry(SHAPE, np.diag([4.0, 4.0, 5.0, 1.0]))


def body(lesion: float) -> NDArray[np.float32]:
    """A body; the lesion lies to the head, to the front and to the patient's left."""
    values = np.zeros(SHAPE, dtype=np.float32)
    values[1:29, 3:17, 3:21] = 1.0
    values[22:26, 5:8, 15:18] = lesion
    return values


def grey(png: bytes) -> FloatArray:
    return np.asarray(matplotlib.image.imread(io.BytesIO(png), format="png"), dtype=np.float64)


def middle(values: NDArray[np.float32], z: int, y: int, x: int) -> Flat:
    return values[z : z + 1], values[:, y : y + 1], values[:, :, x : x + 1]


def test_emission_is_inverse_grey_head_up_right_on_the_left() -> None:
    image = grey(emission_thumbnail(projections([body(9.0)]), GRID, "SUVbw"))
    assert image.ndim == 2  # really grey: a third of the bytes
    assert image.shape[0] == 200
    rows, columns = np.nonzero(image < 0.05)  # SUV 9 is beyond the window of 7: black
    split = int(np.flatnonzero((image == 1.0).all(axis=0)).mean())
    assert rows.max() < 0.3 * image.shape[0]
    coronal, sagittal = columns[columns < split], columns[columns > split]
    assert coronal.min() > 0.55 * split
    assert sagittal.max() < split + 0.5 * (image.shape[1] - split)
    body_grey = image[100, split // 2]
    assert body_grey == pytest.approx(1 - 1 / 7, abs=0.01)


@given(st.lists(st.integers(1, 29), unique=True), st.integers(0, 2**32 - 1))
def test_slabs_give_the_projections_of_the_whole(cuts: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(30, 4, 5)).astype(np.float32)
    values[3, 2, 1] = np.nan
    clean = np.nan_to_num(values)
    pieces = np.split(values, sorted(cuts))
    for axis, flat in enumerate(projections(pieces)):
        np.testing.assert_array_equal(flat, clean.max(axis=axis, keepdims=True))


def test_ct_window_is_soft_tissue() -> None:
    values = np.full(SHAPE, -1000.0, dtype=np.float32)
    values[5:25, 4:16, 4:20] = 40.0
    values[14:17, 9:12, 11:14] = 2000.0
    image = grey(planes_thumbnail(middle(values, 15, 10, 12), GRID, "HU"))
    inner = image[image < 1.0]
    assert image[image.shape[0] // 2, 3] == 0.0  # air
    assert (np.isclose(inner, 0.5, atol=0.01)).sum() > 0.25 * image.size  # (40 + 160) / 400
    assert image.shape[1] <= 320


def test_a_sagittal_acquisition_shows_the_same_patient() -> None:
    """The same voxels, stored with slices from the right to the left."""
    values = body(9.0)
    affine = np.array([[0, 0, 4.0, 0], [4.0, 0, 0, 0], [0, 5.0, 0, 0], [0, 0, 0, 1.0]])
    stored = values.transpose(2, 0, 1)  # (x, z, y) as (slice, row, column)
    turned = Geometry((24, 30, 20), affine)
    assert emission_thumbnail(projections([stored]), turned, "SUVbw") == emission_thumbnail(
        projections([values]), GRID, "SUVbw"
    )
    assert planes_thumbnail(
        (stored[12:13], stored[:, 15:16], stored[:, :, 10:11]), turned, "1"
    ) == planes_thumbnail(middle(values, 15, 10, 12), GRID, "1")


@pytest.mark.parametrize("fill", [0.0, np.nan, -5.0])
def test_empty_and_thin_volumes_still_give_a_picture(fill: float) -> None:
    for shape in ((1, 20, 24), (300, 2, 2), SHAPE):
        values = np.full(shape, fill, dtype=np.float32)
        grid = Geometry(shape, np.diag([4.0, 4.0, 5.0, 1.0]))
        flat = projections([values])
        for png in (emission_thumbnail(flat, grid, "CNTS"), planes_thumbnail(flat, grid, "1")):
            height, width = grey(png).shape
            assert 1 <= height <= 200
            assert 1 <= width <= 320


def test_planar_frames_stand_side_by_side_as_stored() -> None:
    """Hot at the top left of the first frame, at the bottom right of the second."""
    frames = np.zeros((2, 40, 20), dtype=np.float32)
    frames[0, 2:6, 2:6] = frames[1, 34:38, 14:18] = 50.0
    image = grey(planar_thumbnail(frames, (4.0, 4.0), "CNTS"))
    assert image.shape == (200, 100 + 6 + 100)
    rows, columns = np.nonzero(image < 0.1)
    left = columns < 100
    assert rows[left].max() < 40
    assert columns[left].max() < 40
    assert rows[~left].min() > 160
    assert columns[~left].min() > 106 + 60
