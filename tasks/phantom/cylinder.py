"""Finding a uniform cylinder, its level and how uniform it is."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from schemas.volume import ImageVolume
from tasks.phantom.body import find_body, positions_mm
from tasks.phantom.model import Cylinder, Mask

#: A slice of the body is round if its axes differ by less than this, and it fills its ellipse.
_MOST_OUT_OF_ROUND: Final = 1.06
_MOST_UNFILLED: Final = 0.04
_DIAMETERS_MM: Final = (120.0, 320.0)
_EDGE_MM, _END_MM = 15.0, 20.0
#: Shortest part of the cylinder that is measured, mm.
_LEAST_LENGTH_MM: Final = 30.0
_RING_MM: Final = 10.0
#: Spread of the slices' means beyond which the inside is not uniform, a fraction.
_MOST_SPREAD: Final = 0.25


def find_cylinder(image: ImageVolume) -> Cylinder:
    """Find a uniform cylinder along the first axis of the array and measure it.

    Parameters
    ----------
    image : ImageVolume
        In any unit that is proportional to the concentration.

    Returns
    -------
    Cylinder

    Raises
    ------
    InvalidInputError
        The body in the image is no uniform cylinder; the message says why.

    References
    ----------
    EARL, Manual for FDG-PET/CT accreditation (calibration QC with a uniform cylinder).
    """
    values = np.asarray(np.nan_to_num(image.values), dtype=np.float64)
    spacing = image.geometry.spacing
    body, _, _ = find_body(values, spacing)
    centres, areas = _round_slices(body, spacing)
    used = np.flatnonzero(areas > 0.9 * np.median(areas[areas > 0]))
    at = used * spacing[0]
    lines = [np.polyfit(at, centres[used, axis], 1) for axis in (0, 1)]
    axis = np.array([1.0, lines[0][0], lines[1][0]])
    tilt = float(np.linalg.norm(axis))
    diameter = 2.0 * math.sqrt(float(np.median(areas[used])) / tilt / math.pi)
    if not _DIAMETERS_MM[0] <= diameter <= _DIAMETERS_MM[1]:
        raise InvalidInputError(f"the body is {diameter:.0f} mm wide, not a calibration cylinder")
    middle = float(at.mean())
    centre = np.array([middle, np.polyval(lines[0], middle), np.polyval(lines[1], middle)])
    inside, radius = _inside(body, used, (lines[0], lines[1]), diameter / 2.0, tilt, spacing)
    return _measured(image, values, inside, radius, centre, axis / tilt, diameter, len(used))


def _round_slices(body: Mask, spacing: tuple[float, float, float]) -> tuple[FloatArray, FloatArray]:
    """Centroid (y, x; mm) and area (mm2) of the body in each slice."""
    n = body.shape[0]
    centres, areas = np.zeros((n, 2)), np.zeros(n)
    shapes = []
    for k in range(n):
        points = np.argwhere(body[k]) * np.asarray(spacing[1:])
        if len(points) < 20:
            continue
        centres[k] = points.mean(axis=0)
        areas[k] = len(points) * spacing[1] * spacing[2]
        spread = np.linalg.eigvalsh(np.cov(points.T))
        filled = areas[k] / (4.0 * math.pi * math.sqrt(float(spread[0] * spread[1])))
        shapes.append((math.sqrt(float(spread[1] / spread[0])), abs(1.0 - filled)))
    if len(shapes) < 3:
        raise InvalidInputError("the body in the image has too few slices for a cylinder")
    longer, unfilled = np.median(np.array(shapes), axis=0)
    if longer > _MOST_OUT_OF_ROUND or unfilled > _MOST_UNFILLED:
        raise InvalidInputError("the body in the image is not round")
    return centres, areas


def _inside(
    body: Mask,
    used: np.ndarray[tuple[int], np.dtype[np.intp]],
    lines: tuple[FloatArray, FloatArray],
    radius_mm: float,
    tilt: float,
    spacing: tuple[float, float, float],
) -> tuple[Mask, FloatArray]:
    """Voxels well inside, and the distance of every voxel from the axis."""
    z, y, x = positions_mm(body.shape, spacing)
    radius = np.hypot(y - np.polyval(lines[0], z), x - np.polyval(lines[1], z)) / tilt
    first, last = used[0] * spacing[0], used[-1] * spacing[0]
    inside = (radius <= radius_mm - _EDGE_MM) & (z >= first + _END_MM) & (z <= last - _END_MM)
    if last - first < 2.0 * _END_MM + _LEAST_LENGTH_MM or inside.sum() < 200:
        raise InvalidInputError("too little of the cylinder lies in the image")
    return np.asarray(inside), np.asarray(radius)


def _measured(
    image: ImageVolume,
    values: FloatArray,
    inside: Mask,
    radius: FloatArray,
    centre: FloatArray,
    axis: FloatArray,
    diameter_mm: float,
    n_slices: int,
) -> Cylinder:
    spacing = image.geometry.spacing
    voxels = values[inside]
    mean = float(voxels.mean())
    slices = np.flatnonzero(inside.any(axis=(1, 2)))
    slice_means = np.array([values[k][inside[k]].mean() for k in slices])
    ring = (radius / _RING_MM).astype(int)
    rings = np.unique(ring[inside])
    ring_means = np.array([values[inside & (ring == r)].mean() for r in rings])
    if mean <= 0 or np.abs(slice_means / mean - 1.0).max() > _MOST_SPREAD:
        raise InvalidInputError("the inside of the round body is not uniform")
    if np.abs(ring_means / mean - 1.0).max() > _MOST_SPREAD:
        raise InvalidInputError("the inside of the round body is not uniform")
    return Cylinder(
        centre_mm=centre,
        axis=axis,
        diameter_mm=diameter_mm,
        length_mm=n_slices * spacing[0] / float(axis[0]),
        mean=mean,
        cov=float(voxels.std(ddof=1)) / mean,
        axial_deviation=float(np.abs(slice_means / mean - 1.0).max()),
        radial_deviation=float(np.abs(ring_means / mean - 1.0).max()),
        slice_positions_mm=np.asarray(slices * spacing[0], dtype=np.float64),
        slice_means=slice_means,
        ring_radii_mm=(rings + 0.5) * _RING_MM,
        ring_means=ring_means,
        inside=inside,
        geometry=image.geometry,
    )
