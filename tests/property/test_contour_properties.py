"""Polygons of any shape against the textbook's point-in-polygon test."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry
from tasks.segment.contours import rasterise_contours
from tasks.segment.planes import common_normal
from tasks.segment.scanline import fill_polygons
from tasks.segment.slabs import fill_oblique, fill_parallel, make_slabs

COORDINATE = st.floats(-3.0, 18.0, allow_nan=False).map(lambda v: round(v, 3) + 0.0004)
POLYGON = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=12)


@given(polygons=st.lists(POLYGON, min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_even_odd_by_centres(polygons: list[list[tuple[float, float]]]) -> None:
    shape = (14, 16)
    rows, columns = np.indices(shape)
    centres = np.column_stack([columns.ravel(), rows.ravel()]).astype(float)
    arrays = [np.array(p) for p in polygons]
    expected = np.zeros(shape, dtype=bool)
    on_outline = np.zeros(shape, dtype=bool)
    for edges in arrays:
        inside, close = _crossings_to_the_right(edges, centres)
        expected ^= inside.reshape(shape)
        on_outline |= close.reshape(shape)
    filled = fill_polygons(arrays, shape)
    # a centre on an outline is inside or outside by the last bit of a rounding
    np.testing.assert_array_equal(filled[~on_outline], expected[~on_outline])


def _crossings_to_the_right(
    polygon: FloatArray, centres: FloatArray
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether centres are inside, and whether they lie on the outline to rounding."""
    inside = np.zeros(len(centres), dtype=bool)
    close = np.zeros(len(centres), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        spans = (y0 > centres[:, 1]) != (y1 > centres[:, 1])
        if y0 != y1:
            x = x0 + (centres[:, 1] - y0) / (y1 - y0) * (x1 - x0)
            inside ^= spans & (centres[:, 0] < x)
            close |= spans & (np.abs(centres[:, 0] - x) < 1e-9)
    return inside, close


@given(
    radius=st.floats(4.0, 20.0),
    angle=st.floats(-1.2, 1.2),
    shift=st.floats(-2.0, 2.0),
)
@settings(max_examples=30, deadline=None)
def test_oblique_filling_agrees_with_the_straight_one(
    radius: float, angle: float, shift: float
) -> None:
    """Contours parallel to the slices of a turned grid, filled by both methods."""
    phase = np.linspace(0.0, 2.0 * np.pi, 37, endpoint=False)
    flat = np.column_stack([radius * np.cos(phase), 0.8 * radius * np.sin(phase)]) + shift
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    heights = (-3.1, 0.2, 3.5)
    contours = [np.column_stack([flat, np.full(37, z)]) @ turn.T for z in heights]
    affine = np.diag([2.3, 2.1, 3.3, 1.0])
    affine[:3, 3] = (-26.0, -24.0, -9.7)
    affine[:3] = turn @ affine[:3]
    grid = Geometry((7, 24, 24), affine)
    normal = common_normal(contours)
    slabs = make_slabs(contours, normal, None, 3.3)
    straight, oblique = fill_parallel(slabs, normal, grid), fill_oblique(slabs, normal, grid)
    assert straight.any()
    assert np.count_nonzero(straight != oblique) <= 2  # centres on an outline, to rounding
    np.testing.assert_array_equal(rasterise_contours(contours, grid), straight)
