from __future__ import annotations

import numpy as np

from schemas.geometry import FloatArray
from tasks.segment.scanline import fill_polygons


def rectangle(x0: float, y0: float, x1: float, y1: float) -> FloatArray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def test_rectangle_between_centres() -> None:
    mask = fill_polygons([rectangle(1.5, 0.5, 4.5, 2.5)], (5, 7))
    expected = np.zeros((5, 7), dtype=bool)
    expected[1:3, 2:5] = True
    np.testing.assert_array_equal(mask, expected)


def test_sense_of_rotation_does_not_matter() -> None:
    square = rectangle(1.5, 0.5, 4.5, 2.5)
    np.testing.assert_array_equal(
        fill_polygons([square], (5, 7)), fill_polygons([square[::-1]], (5, 7))
    )


def test_outline_through_centres_keeps_the_area() -> None:
    assert fill_polygons([rectangle(1, 1, 4, 3)], (6, 6)).sum() == 3 * 2


def test_polygon_inside_a_polygon_is_a_hole() -> None:
    mask = fill_polygons([rectangle(0.5, 0.5, 6.5, 6.5), rectangle(2.5, 2.5, 4.5, 4.5)], (8, 8))
    assert mask.sum() == 36 - 4
    assert not mask[3, 3]


def test_keyhole_is_the_same_as_a_hole() -> None:
    outer, inner = rectangle(0.5, 0.5, 6.5, 6.5), rectangle(2.5, 2.5, 4.5, 4.5)
    keyhole = np.vstack([outer, outer[:1], inner[::-1], inner[-1:]])
    np.testing.assert_array_equal(
        fill_polygons([keyhole], (8, 8)), fill_polygons([outer, inner], (8, 8))
    )


def test_parts_outside_the_grid_are_cut_off() -> None:
    mask = fill_polygons([rectangle(-3.0, -2.5, 1.5, 9.0)], (4, 4))
    assert mask.tolist() == [[True, True, False, False]] * 4


def test_polygons_beyond_the_grid_leave_it_empty() -> None:
    for place in (rectangle(10, 0, 12, 3), rectangle(-9, 0, -4, 3), rectangle(0, 20, 3, 30)):
        assert not fill_polygons([place], (4, 4)).any()


def test_no_polygons() -> None:
    assert not fill_polygons([], (3, 2)).any()


def test_triangle_by_hand() -> None:
    # right angle at (0.5, 0.5), legs of 4: centres with (x - 0.5) + (y - 0.5) < 4
    triangle = np.array([[0.5, 0.5], [4.5, 0.5], [0.5, 4.5]])
    mask = fill_polygons([triangle], (6, 6))
    x, y = np.meshgrid(np.arange(6), np.arange(6))
    below = (x > 0.5) & (y > 0.5) & (x + y < 5)
    assert mask[below].all()
    assert not mask[(x + y > 5) | (x < 0.5) | (y < 0.5)].any()
