"""The planes that contours were drawn in, and how much of space each one stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray

#: Points of one contour may leave its plane, and contours of one plane may differ, by this much:
#: contour data are decimal strings, often rounded to 0.01 mm or coarser.
PLANE_TOLERANCE_MM: Final = 0.1

#: A median gap beyond this is no slice spacing: the ROI is a few far-apart pieces.
LARGEST_SPACING_MM: Final = 12.0

#: Gaps beyond this many plane spacings are not bridged.
_BRIDGED_GAP: Final = 1.5


def usable(contours: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the contours that enclose an area, as float64 (n, 3); points and lines are left out.

    Raises
    ------
    RejectedObjectError
        A contour that is not (n, 3) or holds numbers that are not finite.
    """
    kept = []
    for contour in contours:
        points = np.asarray(contour, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
            raise RejectedObjectError(
                "invalid_attribute", f"contour: expected finite (n, 3) points, got {points.shape}"
            )
        if len(points) >= 3 and np.linalg.norm(area_vector(points)) > 1e-9:
            kept.append(points)
    return kept


def area_vector(points: FloatArray) -> FloatArray:
    """Return the area of a closed polygon as a vector along its normal, mm² (Newell's method)."""
    local = points - points[0]
    total: FloatArray = np.cross(local, np.roll(local, -1, axis=0)).sum(axis=0) / 2.0
    return total


def common_normal(contours: Sequence[FloatArray]) -> FloatArray:
    """Return the unit normal (3,) that all contours share, its largest component positive.

    Raises
    ------
    RejectedObjectError
        A contour that is not planar, or contours in several orientations.
    """
    areas = np.array([area_vector(c) for c in contours])
    largest = areas[np.argmax(np.linalg.norm(areas, axis=1))]
    total = (areas * np.sign(areas @ largest)[:, None]).sum(axis=0)
    normal: FloatArray = total / np.linalg.norm(total)
    axis = int(np.argmax(np.abs(normal)))
    normal *= np.sign(normal[axis])
    if abs(normal[axis]) > 1 - 1e-6:
        normal = np.eye(3)[axis]
    depth = max(float(np.ptp(c @ normal)) for c in contours)
    if depth > 2 * PLANE_TOLERANCE_MM:
        raise RejectedObjectError(
            "mixed_orientations",
            f"contours leave their common plane by {depth:.2f} mm "
            f"(allowed {2 * PLANE_TOLERANCE_MM} mm)",
        )
    return normal


def group_planes(heights: FloatArray) -> list[tuple[float, list[int]]]:
    """Group contours by plane.

    Parameters
    ----------
    heights : ndarray, (n,), float64
        Distance of each contour along the normal, mm.

    Returns
    -------
    list of (float, list of int)
        Mean height of each plane, ascending, and the contours in it.
    """
    order = np.argsort(heights, kind="stable")
    breaks = np.flatnonzero(np.diff(heights[order]) > PLANE_TOLERANCE_MM) + 1
    return [
        (float(heights[group].mean()), [int(i) for i in group]) for group in np.split(order, breaks)
    ]


def slab_bounds(
    heights: FloatArray, grid_spacing_mm: float, spacing_mm: float | None
) -> FloatArray:
    """Lower and upper face of the slab that each plane stands for.

    Parameters
    ----------
    heights : ndarray, (n,), float64
        Heights of the planes in mm, ascending.
    grid_spacing_mm : float
        Spacing of the grid, for a single plane of unknown spacing.
    spacing_mm : float or None
        Slice spacing of the image that was drawn on, if known.

    Returns
    -------
    ndarray, (n, 2), float64
        mm.
    """
    gaps = np.diff(heights)
    nominal = spacing_mm
    if nominal is None:
        median = float(np.median(gaps)) if gaps.size else np.inf
        nominal = median if median <= LARGEST_SPACING_MM else grid_spacing_mm
    half = np.where(gaps <= _BRIDGED_GAP * nominal, gaps, nominal) / 2.0
    below = np.concatenate([[nominal / 2.0], half])
    above = np.concatenate([half, [nominal / 2.0]])
    return np.column_stack([heights - below, heights + above])
