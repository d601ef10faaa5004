"""Planes by painted markers: what lies where in the patient lies where in the picture."""

from __future__ import annotations

import io
import itertools

import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry
from schemas.volume import ImageVolume, MaskVolume
from tasks.pictures.palettes import coloured
from tasks.pictures.planes import (
    Cut,
    View,
    cut_through,
    direction_letters,
    sample,
    sample_mask,
    views_of,
)
from tasks.pictures.triptych import Legend, Panel, pixel_mm_for, triptych_png
from tasks.segment.boxes import corners

#: Size of the body in mm along L, P, H, and a marker in it.
BODY_MM = np.array([100.0, 80.0, 160.0])
ORIGIN = np.array([-40.0, 10.0, -700.0])
MARKER = ORIGIN + np.array([70.0, 22.0, 115.0])  # to the left, to the front, to the head


def _grid(axes: tuple[int, int, int], flips: tuple[int, int, int]) -> Geometry:
    """A grid over the body whose index axes x, y, z run along the given axes of L, P, H."""
    spacing = np.array([2.0, 4.0, 5.0])  # along the x, y, z index: anisotropic
    affine = np.eye(4)
    start = ORIGIN.copy()
    shape_xyz = []
    for index, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        n = round(BODY_MM[axis] / spacing[index])
        affine[:3, index] = 0.0
        affine[axis, index] = flip * spacing[index]
        start[axis] += spacing[index] / 2 if flip > 0 else BODY_MM[axis] - spacing[index] / 2
        shape_xyz.append(n)
    affine[:3, 3] = start
    nx, ny, nz = shape_xyz
    return Geometry((nz, ny, nx), affine)


def _marked(grid: Geometry) -> ImageVolume:
    """One voxel of 9 at the marker, on 0."""
    values = np.zeros(grid.shape, dtype=np.float32)
    x, y, z = np.rint(grid.to_index(MARKER)).astype(int)
    values[z, y, x] = 9.0
    return ImageVolume(values, grid, "SUVbw")


def _cut_of(view: View, volume: ImageVolume, pixel_mm: float = 1.0) -> tuple[Cut, FloatArray]:
    cut = cut_through(view, MARKER, corners(volume.geometry), pixel_mm, None)
    return cut, sample(volume, cut.points())


@pytest.mark.parametrize("axes", list(itertools.permutations((0, 1, 2))))
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_a_marker_is_seen_where_it_is_however_it_is_stored(
    axes: tuple[int, int, int], flips: tuple[int, int, int]
) -> None:
    volume = _marked(_grid(axes, flips))
    expected = {  # of the upper left corner: distance down and to the right, mm
        "axial": (22.0, 70.0),
        "coronal": (BODY_MM[2] - 115.0, 70.0),
        "sagittal": (BODY_MM[2] - 115.0, 22.0),
    }
    size = {"axial": (80, 100), "coronal": (160, 100), "sagittal": (160, 80)}
    letters = {
        "axial": ("R", "L", "A", "P"),
        "coronal": ("R", "L", "H", "F"),
        "sagittal": ("A", "P", "H", "F"),
    }
    for view in views_of(volume.geometry):
        cut, values = _cut_of(view, volume)
        assert values.shape == size[view.name]
        assert view.letters == letters[view.name]
        assert not view.is_oblique
        row, column = np.unravel_index(int(np.nanargmax(values)), values.shape)
        down_mm, right_mm = expected[view.name]
        # the marker's voxel reaches at most 2.5 mm to any side
        assert abs(row + 0.5 - down_mm) <= 3.0
        assert abs(column + 0.5 - right_mm) <= 3.0
        np.testing.assert_allclose(cut.place(MARKER), (down_mm, right_mm), atol=1e-9)


def test_anisotropic_voxels_give_round_balls() -> None:
    grid = Geometry((30, 40, 80), np.diag([1.0, 2.0, 6.0, 1.0]))
    z, y, x = np.indices(grid.shape)
    centre = np.array([40.0, 40.0, 90.0])
    distance = np.sqrt(
        (x * 1.0 - centre[0]) ** 2 + (y * 2.0 - centre[1]) ** 2 + (z * 6.0 - centre[2]) ** 2
    )
    volume = ImageVolume((distance < 24.0).astype(np.float32), grid, "1")
    for view in views_of(grid):
        cut = cut_through(view, centre, corners(grid), 0.5, None)
        inside = sample(volume, cut.points(), outside=0.0) > 0.5
        height = np.flatnonzero(inside.any(axis=1))
        width = np.flatnonzero(inside.any(axis=0))
        for seen in (height, width):
            assert abs((seen[-1] - seen[0] + 1) * 0.5 - 48.0) <= 6.0  # one voxel at most
        assert abs(inside.sum() * 0.25 / (np.pi * 24.0**2) - 1) < 0.08


def test_oblique_grids_are_cut_along_their_axes_and_say_so() -> None:
    turn = np.deg2rad(30.0)
    affine = np.eye(4)
    affine[:3, 0] = np.cos(turn), np.sin(turn), 0.0  # columns to the left and back
    affine[:3, 1] = -np.sin(turn), np.cos(turn), 0.0
    grid = Geometry((20, 30, 40), affine)
    axial, coronal, sagittal = views_of(grid)
    assert axial.letters == ("RA", "LP", "AL", "PR")
    assert not axial.is_oblique
    assert coronal.is_oblique
    assert sagittal.is_oblique
    values = np.zeros(grid.shape, dtype=np.float32)
    values[4, 7, 33] = 1.0
    volume = ImageVolume(values, grid, "1")
    marker = grid.to_lps(np.array([33.0, 7.0, 4.0]))
    for view, place in ((axial, (7, 33)), (coronal, (15, 33)), (sagittal, (15, 7))):
        cut = cut_through(view, marker, corners(grid), 1.0, None)
        seen = sample(volume, cut.points())
        assert seen.max() == pytest.approx(1.0)
        row, column = np.unravel_index(int(np.nanargmax(seen)), seen.shape)
        assert (int(row), int(column)) == place


@pytest.mark.parametrize(
    ("direction", "letters"),
    [((1, 0, 0), "L"), ((0, -1, 0), "A"), ((0, 0, 1), "H"), ((0.6, 0.8, 0), "PL"),
     ((0.99, 0.1, 0.1), "L"), ((-0.5, 0.5, 0.7071), "HRP")],
)  # fmt: skip
def test_letters_of_directions(direction: tuple[float, float, float], letters: str) -> None:
    assert direction_letters(np.asarray(direction, dtype=np.float64)) == letters


def test_outside_the_volume_is_nothing_and_inside_is_interpolated() -> None:
    grid = Geometry((1, 1, 3), np.diag([2.0, 2.0, 2.0, 1.0]))
    volume = ImageVolume(np.array([[[1.0, 3.0, 5.0]]], dtype=np.float32), grid, "1")
    points = np.array([[-1.1, 0.0, 0.0], [-0.9, 0.0, 0.0], [1.0, 0.0, 0.0], [4.9, 0.9, -0.9]])
    assert sample(volume, points, outside=-7.0).tolist() == [-7.0, 1.0, 2.0, 5.0]
    assert sample(volume, points, outside=-7.0, order=0)[1:].tolist()[0] == 1.0


def test_masks_end_at_voxel_borders() -> None:
    grid = Geometry((1, 1, 2), np.diag([4.0, 4.0, 4.0, 1.0]))
    mask = MaskVolume(np.array([[[0, 1]]], dtype=np.uint8), grid)
    x = np.array([1.99, 2.01, 5.99, 6.01])
    points = np.stack([x, np.zeros(4), np.zeros(4)], axis=1)
    assert sample_mask(mask, points).tolist() == [False, True, True, False]


def _pixels(png: bytes) -> NDArray[np.float64]:
    image = matplotlib.image.imread(io.BytesIO(png), format="png")
    return np.asarray(image[..., :3], dtype=np.float64)


def test_one_pixel_of_a_plane_is_one_pixel_of_the_picture() -> None:
    """A red pixel is looked up in the PNG itself."""
    volume = _marked(_grid((0, 1, 2), (1, 1, 1)))
    panels = []
    for view in views_of(volume.geometry):
        cut = cut_through(view, MARKER, corners(volume.geometry), 1.0, None)
        pixels = np.full((cut.rows, cut.columns, 3), 200, dtype=np.uint8)
        pixels[33, 44] = (255, 0, 0)
        panels.append(Panel(cut, pixels, (), view.name))
    legend = Legend("inverse_grey", (0.0, 7.0), "SUVbw", is_dark=False)
    image = _pixels(triptych_png(panels, legend, MARKER))
    red = (image[..., 0] == 1.0) & (image[..., 1] == 0.0) & (image[..., 2] == 0.0)
    found = sorted(zip(*np.nonzero(red), strict=True), key=lambda place: place[1])
    # panels begin 8 px from the left, 6 px apart; title 32 px; the lower ones are centred
    expected = [(32 + (160 - 80) // 2 + 33, 8 + 44), (32 + 33, 8 + 100 + 6 + 44),
                (32 + 33, 8 + 100 + 6 + 100 + 6 + 44)]  # fmt: skip
    assert [(int(r), int(c)) for r, c in found] == expected
    grey = np.isclose(image[..., 0], 200 / 255) & np.isclose(image[..., 1], 200 / 255)
    assert grey.sum() > 0.9 * (80 * 100 + 160 * 100 + 160 * 80)


def test_outlines_lie_around_their_region_in_the_picture() -> None:
    volume = _marked(_grid((0, 1, 2), (1, 1, 1)))
    axial = views_of(volume.geometry)[0]
    cut = cut_through(axial, MARKER, corners(volume.geometry), 0.5, None)
    region = np.zeros((cut.rows, cut.columns), dtype=np.bool_)
    region[60:80, 100:140] = True
    white = np.full((cut.rows, cut.columns, 3), 255, dtype=np.uint8)
    legend = Legend("inverse_grey", (0.0, 7.0), "SUVbw", is_dark=False)
    image = _pixels(triptych_png([Panel(cut, white, (region,))], legend, MARKER))
    coloured_pixels = image.max(axis=-1) - image.min(axis=-1) > 0.3
    rows, columns = np.nonzero(coloured_pixels)
    assert (rows.min() - 32, rows.max() + 1 - 32) == pytest.approx((60, 80), abs=1.5)
    assert (columns.min() - 8, columns.max() + 1 - 8) == pytest.approx((100, 140), abs=1.5)


def test_planes_of_different_size_have_one_scale() -> None:
    sizes = [(400.0, 300.0), (400.0, 900.0), (300.0, 900.0)]
    pixel_mm = pixel_mm_for(sizes, 1300, 700)
    assert max(h / pixel_mm for _, h in sizes) <= 700
    assert sum(w / pixel_mm for w, _ in sizes) <= 1300
    assert pixel_mm == pytest.approx(900 / 700)


def test_equal_planes_give_equal_bytes() -> None:
    volume = _marked(_grid((0, 1, 2), (1, 1, 1)))
    cut, values = _cut_of(views_of(volume.geometry)[0], volume)
    panel = Panel(cut, coloured(values, 0.0, 7.0, "inverse_grey"))
    legend = Legend("inverse_grey", (0.0, 7.0), "SUVbw", is_dark=False)
    one, other = (triptych_png([panel], legend, MARKER, title="a") for _ in range(2))
    assert one == other
    assert b"Software" not in one
