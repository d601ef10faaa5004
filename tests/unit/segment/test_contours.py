from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray, Geometry
from tasks.segment.contours import rasterise_contours


def circle(radius: float, centre: tuple[float, float, float]) -> FloatArray:
    angle = np.linspace(0.0, 2.0 * np.pi, 180, endpoint=False)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    points: FloatArray = np.column_stack([x, y, np.zeros_like(x)]) + np.array(centre)
    return points


def sphere(radius: float, spacing: float, centre: tuple[float, float, float]) -> list[FloatArray]:
    """Contours of a sphere in the planes z = k * spacing."""
    x, y, z0 = centre
    heights = np.arange(-60, 61) * spacing
    return [
        circle(float(np.sqrt(radius**2 - (z - z0) ** 2)), (x, y, float(z)))
        for z in heights
        if abs(z - z0) < radius - 1e-6
    ]


def grid(spacing: float, n: int, shift: float = 0.0, turn: FloatArray | None = None) -> Geometry:
    rotation = np.eye(3) if turn is None else turn
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = rotation @ np.full(3, -(n - 1) / 2.0 * spacing + shift)
    return Geometry((n, n, n), affine)


def about_x(angle: float) -> FloatArray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def square(side: float, z: float, x: float = 0.0) -> FloatArray:
    h = side / 2.0
    return np.array([[x - h, -h, z], [x + h, -h, z], [x + h, h, z], [x - h, h, z]])


def volume_mm3(mask: NDArray[np.bool_], geometry: Geometry) -> float:
    return float(mask.sum()) * geometry.voxel_volume_ml * 1000.0


@pytest.mark.parametrize("shift", [0.0, 1.3])
@pytest.mark.parametrize("spacing", [2.0, 3.0, 4.0])
@pytest.mark.parametrize("plane_spacing", [2.0, 3.27, 5.0])
def test_volume_of_a_large_sphere(plane_spacing: float, spacing: float, shift: float) -> None:
    geometry = grid(spacing, round(72 / spacing), shift)
    contours = sphere(30.0, plane_spacing, (0.3, 0.7, shift / 2))
    exact = 4.0 / 3.0 * np.pi * 30.0**3
    assert volume_mm3(rasterise_contours(contours, geometry), geometry) == pytest.approx(
        exact, rel=0.025
    )


@pytest.mark.parametrize("turn", [None, about_x(0.4)])
@pytest.mark.parametrize("radius", [8.0, 15.0])
def test_volume_of_a_small_sphere_is_right_on_average(
    radius: float, turn: FloatArray | None
) -> None:
    random = np.random.default_rng(7)
    volumes = []
    for _ in range(60):
        x, y, z, shift = (float(v) for v in random.uniform(-2, 2, 4))
        geometry = grid(4.0, 14, shift, turn)
        mask = rasterise_contours(sphere(radius, 3.27, (x, y, z)), geometry)
        volumes.append(volume_mm3(mask, geometry))
    exact = 4.0 / 3.0 * np.pi * radius**3
    assert np.mean(volumes) == pytest.approx(exact, rel=0.02)


def test_native_grid_takes_each_contour_into_its_slice() -> None:
    geometry = Geometry((5, 10, 10), np.diag([2.0, 2.0, 3.27, 1.0]))
    # pixel edges at 3 and 13 mm: columns and rows 2 to 6
    box = [np.array([[3.0, 3, z], [13, 3, z], [13, 13, z], [3, 13, z]]) for z in (3.27, 6.54)]
    mask = rasterise_contours(box, geometry)
    expected = np.zeros((5, 10, 10), dtype=bool)
    expected[1:3, 2:7, 2:7] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("flip", [(1, 1, -1), (-1, 1, 1), (1, -1, 1), (-1, -1, -1)])
def test_direction_of_the_axes_does_not_matter(flip: tuple[int, int, int]) -> None:
    straight = grid(3.0, 16)
    signs = np.diag([*flip, 1]).astype(float)
    shift = np.array([15.0 if f < 0 else 0.0 for f in flip])
    move = np.eye(4)
    move[:3, 3] = shift
    flipped = Geometry(straight.shape, straight.affine @ move @ signs)
    contours = sphere(12.3, 3.27, (1.1, -2.2, 0.9))
    back = tuple(slice(None, None, f) for f in flip[::-1])
    np.testing.assert_array_equal(
        rasterise_contours(contours, straight), rasterise_contours(contours, flipped)[back]
    )


def test_coronal_contours_on_an_axial_grid() -> None:
    geometry = grid(2.0, 30)
    turned = [c[:, [0, 2, 1]] for c in sphere(15.0, 2.0, (0.2, 0.1, 0.3))]
    mask = rasterise_contours(turned, geometry)
    assert volume_mm3(mask, geometry) == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.02)


def test_gap_between_two_pieces_is_not_filled() -> None:
    geometry = Geometry((40, 12, 12), np.diag([2.0, 2.0, 2.0, 1.0]))
    contours = [square(8.0, z) + np.array([12.0, 12.0, 0.0]) for z in (10, 12, 14, 50, 52, 54)]
    filled = np.flatnonzero(rasterise_contours(contours, geometry).any(axis=(1, 2)))
    assert filled.tolist() == [5, 6, 7, 25, 26, 27]


def test_single_slices_far_apart_are_as_thick_as_the_grid() -> None:
    geometry = Geometry((40, 12, 12), np.diag([2.0, 2.0, 2.0, 1.0]))
    contours = [square(8.0, z) + np.array([12.0, 12.0, 0.0]) for z in (10, 60)]
    filled = np.flatnonzero(rasterise_contours(contours, geometry).any(axis=(1, 2)))
    assert filled.tolist() == [5, 30]


def test_one_contour_is_as_thick_as_the_slices_it_was_drawn_on() -> None:
    geometry = Geometry((20, 12, 12), np.diag([2.0, 2.0, 1.0, 1.0]))
    contour = [square(8.0, 10.0) + np.array([12.0, 12.0, 0.0])]
    assert rasterise_contours(contour, geometry).any(axis=(1, 2)).sum() == 1
    thick = rasterise_contours(contour, geometry, plane_spacing_mm=5.0)
    assert np.flatnonzero(thick.any(axis=(1, 2))).tolist() == [8, 9, 10, 11, 12]


def test_hole_and_second_island_in_one_plane() -> None:
    geometry = Geometry((3, 30, 60), np.diag([1.0, 1.0, 2.0, 1.0]))
    middle = np.array([15.2, 15.2, 0.0])
    contours = [
        square(20.0, 2.0) + middle,
        square(8.0, 2.0) + middle,
        square(6.0, 2.0, x=30.0) + middle,
    ]
    assert rasterise_contours(contours, geometry)[1].sum() == 400 - 64 + 36


def test_contours_outside_the_grid_give_an_empty_mask() -> None:
    far = [square(8.0, z, x=900.0) for z in (0.0, 2.0)]
    assert not rasterise_contours(far, grid(2.0, 10)).any()


def test_points_and_lines_are_left_out() -> None:
    point, line = np.zeros((1, 3)), np.array([[0.0, 0, 0], [5, 0, 0], [9, 0, 0]])
    geometry = grid(2.0, 10)
    with_extra = rasterise_contours([point, square(8.0, 1.0), line], geometry)
    np.testing.assert_array_equal(with_extra, rasterise_contours([square(8.0, 1.0)], geometry))
    with pytest.raises(RejectedObjectError, match="missing_attribute"):
        rasterise_contours([point, line], geometry)


def test_contours_in_two_orientations_are_refused() -> None:
    axial = square(20.0, 0.0)
    with pytest.raises(RejectedObjectError, match="mixed_orientations"):
        rasterise_contours([axial, axial[:, [0, 2, 1]]], grid(2.0, 10))


@pytest.mark.parametrize("bad", [np.zeros((4, 2)), np.full((4, 3), np.nan), np.zeros(9)])
def test_broken_contours_are_refused(bad: FloatArray) -> None:
    with pytest.raises(RejectedObjectError, match="invalid_attribute"):
        rasterise_contours([bad], grid(2.0, 10))


def test_small_tilt_of_decimal_strings_is_tolerated() -> None:
    contours = sphere(12.0, 3.0, (0.0, 0.0, 0.4))
    jittered = [c + np.array([0.0, 0.0, 0.02]) * (np.arange(len(c)) % 3)[:, None] for c in contours]
    geometry = grid(2.1, 16)
    np.testing.assert_array_equal(
        rasterise_contours(jittered, geometry), rasterise_contours(contours, geometry)
    )
