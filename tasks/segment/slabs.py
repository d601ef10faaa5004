"""Voxel centres inside slabs of contours: slice by slice, or in any direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.path import Path
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry
from tasks.segment.planes import group_planes, slab_bounds
from tasks.segment.scanline import fill_polygons

#: Decimal strings must not decide a slice exactly between two planes; it goes to the lower one.
_NUDGE_MM: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Slab:
    """The contours of one plane and the heights (mm along the normal) that they stand for."""

    contours: list[FloatArray]
    lower_mm: float
    upper_mm: float

    def holds(self, heights_mm: FloatArray) -> NDArray[np.bool_]:
        """Return where heights lie in the slab, ``(lower, upper]``."""
        return np.asarray(
            (heights_mm > self.lower_mm + _NUDGE_MM) & (heights_mm <= self.upper_mm + _NUDGE_MM)
        )


def make_slabs(
    contours: Sequence[FloatArray], normal: FloatArray, spacing_mm: float | None, grid_mm: float
) -> list[Slab]:
    """Group contours by plane and give each plane its slab.

    Parameters
    ----------
    contours : sequence of ndarray, each (n, 3), float64
        Vertices in LPS mm.
    normal : ndarray, (3,), float64
        Unit normal of all of them.
    spacing_mm, grid_mm : float
        See `tasks.segment.planes.slab_bounds`.
    """
    planes = group_planes(np.array([(c @ normal).mean() for c in contours]))
    bounds = slab_bounds(np.array([height for height, _ in planes]), grid_mm, spacing_mm)
    return [
        Slab([contours[i] for i in members], float(lower), float(upper))
        for (_, members), (lower, upper) in zip(planes, bounds, strict=True)
    ]


def fill_parallel(slabs: Sequence[Slab], normal: FloatArray, grid: Geometry) -> NDArray[np.bool_]:
    """Fill a grid whose slices are parallel to the contours.

    Returns
    -------
    ndarray, (z, y, x), bool
    """
    mask = np.zeros(grid.shape, dtype=np.bool_)
    index = np.zeros((grid.shape[0], 3))
    index[:, 2] = np.arange(grid.shape[0])
    heights = grid.to_lps(index) @ normal
    for slab in slabs:
        slices = np.flatnonzero(slab.holds(heights))
        if slices.size:
            polygons = [grid.to_index(c)[:, :2] for c in slab.contours]
            mask[slices] |= fill_polygons(polygons, grid.shape[1:])
    return mask


def fill_oblique(slabs: Sequence[Slab], normal: FloatArray, grid: Geometry) -> NDArray[np.bool_]:
    """Fill a grid that lies obliquely to the contours: each voxel centre against its own plane.

    Returns
    -------
    ndarray, (z, y, x), bool
    """
    frame = _frame(normal)
    nz, ny, nx = grid.shape
    steps = np.meshgrid(np.arange(nz), np.arange(ny), np.arange(nx), indexing="ij")
    centres = grid.to_lps(np.stack(steps[::-1], axis=-1).reshape(-1, 3).astype(np.float64))
    heights = centres @ normal
    mask = np.zeros(heights.size, dtype=np.bool_)
    for slab in slabs:
        here = np.flatnonzero(slab.holds(heights))
        points = centres[here] @ frame
        inside = np.zeros(here.size, dtype=np.bool_)
        for contour in slab.contours:
            inside ^= Path(contour @ frame).contains_points(points)
        mask[here] |= inside
    return mask.reshape(grid.shape)


def _frame(normal: FloatArray) -> FloatArray:
    """Two unit vectors (3, 2) that span the plane of a normal."""
    u = np.cross(np.eye(3)[int(np.argmin(np.abs(normal)))], normal)
    u /= np.linalg.norm(u)
    return np.column_stack([u, np.cross(normal, u)])
