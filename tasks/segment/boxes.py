"""The part of a grid around some points: most ROIs fill a small part of an image."""

from __future__ import annotations

import numpy as np

from schemas.geometry import FloatArray, Geometry

#: Slices ``(z, y, x)`` into an array on a grid.
Box = tuple[slice, slice, slice]


def box_around(geometry: Geometry, points_lps: FloatArray, margin_mm: float) -> Box:
    """Return the smallest box of a grid that holds points and a margin; empty where it misses it.

    Parameters
    ----------
    geometry : Geometry
        Grid.
    points_lps : ndarray, (n, 3), float64
        LPS mm.
    margin_mm : float
        Margin on every side.
    """
    index = geometry.to_index(points_lps)
    margin = margin_mm / np.array(geometry.spacing[::-1]) + 1.0
    size = np.array(geometry.shape[::-1])
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, size).astype(np.int64)
    high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, low, size).astype(np.int64)
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


def sub_grid(geometry: Geometry, box: Box) -> Geometry:
    """Return the grid of a box."""
    z, y, x = box
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_lps(np.array([x.start, y.start, z.start], dtype=np.float64))
    return Geometry((z.stop - z.start, y.stop - y.start, x.stop - x.start), affine)


def corners(geometry: Geometry) -> FloatArray:
    """Return the eight outer corners of a grid's voxels, (8, 3) LPS mm."""
    edges = [(-0.5, n - 0.5) for n in geometry.shape[::-1]]
    index = np.stack(np.meshgrid(*edges), axis=-1).reshape(-1, 3)
    return geometry.to_lps(index)
