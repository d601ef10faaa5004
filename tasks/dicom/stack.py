"""From the positions of slices to a regular grid, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray, Geometry
from tasks.dicom.slices import SliceHeader, vectors

#: Slices closer than this are at the same position.
SAME_POSITION_MM: Final = 0.01
#: Slices may lie off an even grid by this much, or by `SPACING_TOLERANCE` of their distance. (GE
#: PET: one distance of 3.19 among 3.27 mm where bed positions meet puts slices off by 0.04 mm.)
SPACING_TOLERANCE_MM: Final = 0.05
SPACING_TOLERANCE: Final = 0.01
#: Direction cosines and pixel spacings agree within this.
_COSINE_TOLERANCE: Final = 1e-4
_PIXEL_SPACING_TOLERANCE_MM: Final = 1e-3
#: Stacks that lean more than this against the normal are not believed.
MAX_TILT_DEGREES: Final = 45.0


def stack_geometry(headers: Sequence[SliceHeader]) -> tuple[NDArray[np.intp], Geometry]:
    """Order the slices along their normal and find the grid they form.

    Parameters
    ----------
    headers : sequence of SliceHeader
        Slices that are to make one stack, in any order.

    Returns
    -------
    order : ndarray, (z,), intp
        Indices into `headers`, ascending along row direction x column direction.
    geometry : Geometry
        Of the ordered stack. Where the gantry was tilted, the step from slice to slice leans
        against their normal: the affine is sheared, and nothing is resampled.

    Raises
    ------
    RejectedObjectError
        ``mixed_sizes``, ``mixed_orientations``, ``single_slice``, ``duplicate_positions``,
        ``gantry_tilt``, ``missing_slices``, ``nonuniform_spacing`` or ``invalid_attribute``
        (direction cosines).

    References
    ----------
    DICOM PS3.3 C.7.6.2.1.1.
    """
    slices = list(headers)
    _require_same_size(slices)
    row, column = plane_directions(_common_orientation(slices))
    normal = np.cross(row, column)
    positions = vectors(slices, "position")
    order = np.argsort(positions @ normal, kind="stable")
    if len(slices) == 1:
        raise RejectedObjectError("single_slice", "expected 2 or more slices, got 1")
    step = _slice_step(positions[order], normal)
    first = slices[0]
    return order, plane_stack(
        first.pixels.rows, first.pixels.columns, first.pixel_spacing, (row, column),
        positions[order[0]], step, len(slices),
    )  # fmt: skip


def plane_stack(
    rows: int,
    columns: int,
    pixel_spacing: Sequence[float],
    directions: tuple[FloatArray, FloatArray],
    origin: FloatArray,
    step: FloatArray,
    n_slices: int,
) -> Geometry:
    """Grid of equal planes.

    Parameters
    ----------
    rows, columns, n_slices : int
        Size.
    pixel_spacing : sequence of float
        Between rows, between columns; mm.
    directions : tuple of ndarray
        Unit vectors of rows (x) and columns (y).
    origin, step : ndarray, (3,)
        First voxel of the first plane; from plane to plane; LPS mm.
    """
    affine = np.eye(4)
    affine[:3, 0] = directions[0] * pixel_spacing[1]
    affine[:3, 1] = directions[1] * pixel_spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = origin
    return Geometry((n_slices, rows, columns), affine)


def tilt_degrees(geometry: Geometry) -> float:
    """Angle between the step from slice to slice and the normal of the slices.

    Examples
    --------
    >>> leaning = np.eye(4)
    >>> leaning[:3, 2] = 0, 1, 1
    >>> round(tilt_degrees(Geometry((2, 2, 2), leaning)), 3)
    45.0
    """
    x, y, z = geometry.affine[:3, :3].T
    normal = np.cross(x, y)
    cosine = abs(float(z @ normal)) / float(np.linalg.norm(z) * np.linalg.norm(normal))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def plane_directions(orientation: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Give the unit vectors of rows and columns.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` unless they are of unit length and at right angles (within 1e-3).
    """
    row = np.array(orientation[:3], dtype=np.float64)
    column = np.array(orientation[3:], dtype=np.float64)
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if np.abs(lengths - 1).max() > 1e-3 or abs(float(row @ column)) > 1e-3:
        raise RejectedObjectError(
            "invalid_attribute", "ImageOrientationPatient: expected orthogonal unit vectors"
        )
    return row / lengths[0], column / lengths[1]


def uniform_step(along: FloatArray) -> float:
    """Distance between neighbours of an ascending sequence.

    Parameters
    ----------
    along : ndarray, (n,), float64
        Distinct positions along the normal, mm.

    Raises
    ------
    RejectedObjectError
        ``missing_slices`` if gaps are whole multiples of the usual distance, otherwise
        ``nonuniform_spacing``.
    """
    gaps = np.diff(along)
    usual = float(np.sort(gaps)[(len(gaps) - 1) // 2])  # of two gaps the smaller one
    wide = gaps[gaps > 1.5 * usual]
    if wide.size:
        _reject_gaps(wide, usual, len(along))
    step = float((along[-1] - along[0]) / (len(along) - 1))
    even = along[0] + step * np.arange(len(along))
    error = float(np.abs(along - even).max())
    if error > max(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * step):
        raise RejectedObjectError(
            "nonuniform_spacing",
            f"distances from {gaps.min():.3f} to {gaps.max():.3f} mm put slices up to "
            f"{error:.3f} mm off an even grid",
        )
    return step


def _reject_gaps(wide: FloatArray, usual: float, n_slices: int) -> None:
    multiples = np.round(wide / usual)
    off = np.abs(wide - multiples * usual)
    if (off <= np.maximum(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * usual) * multiples).all():
        missing = int((multiples - 1).sum())
        raise RejectedObjectError(
            "missing_slices", f"{missing} of {n_slices + missing} slices are missing"
        )
    raise RejectedObjectError(
        "nonuniform_spacing", f"distances up to {wide.max():.3f} mm, usual {usual:.3f} mm"
    )


def same_pixel_spacing(spacing: FloatArray, other: FloatArray) -> NDArray[np.bool_]:
    """Tell which pixel spacings (n, 2), mm, agree with another one."""
    return np.asarray((np.abs(spacing - other) <= _PIXEL_SPACING_TOLERANCE_MM).all(axis=1))


def same_orientation(cosines: FloatArray, other: FloatArray) -> NDArray[np.bool_]:
    """Tell which direction cosines (n, 6) agree with other ones."""
    return np.asarray((np.abs(cosines - other) <= _COSINE_TOLERANCE).all(axis=1))


def _require_same_size(slices: list[SliceHeader]) -> None:
    sizes = Counter((s.pixels.rows, s.pixels.columns) for s in slices)
    if len(sizes) > 1:
        text = ", ".join(f"{n} of {r} x {c}" for (r, c), n in sorted(sizes.items()))
        raise RejectedObjectError("mixed_sizes", f"slices of different size: {text}")
    spacing = vectors(slices, "pixel_spacing")
    if not same_pixel_spacing(spacing, spacing[0]).all():
        raise RejectedObjectError(
            "mixed_sizes", f"pixel spacing from {spacing.min():.4f} to {spacing.max():.4f} mm"
        )


def _common_orientation(slices: list[SliceHeader]) -> tuple[float, ...]:
    directions = vectors(slices, "orientation")
    if not same_orientation(directions, directions[0]).all():
        raise RejectedObjectError("mixed_orientations", "slices of different orientation")
    return slices[0].orientation


def _slice_step(positions: FloatArray, normal: FloatArray) -> FloatArray:
    """Vector from slice to slice of an ordered stack."""
    along = positions @ normal
    same = np.diff(along) < SAME_POSITION_MM
    if same.any():
        n_places = int((~same).sum()) + 1
        raise RejectedObjectError(
            "duplicate_positions", f"{len(along)} slices at {n_places} positions"
        )
    uniform_step(along)
    travel = positions[-1] - positions[0]
    drift = float(np.linalg.norm(travel - (travel @ normal) * normal))
    angle = float(np.degrees(np.arctan2(drift, along[-1] - along[0])))
    if angle > MAX_TILT_DEGREES:
        raise RejectedObjectError("gantry_tilt", f"stack leans by {angle:.2f} degrees")
    step: FloatArray = travel / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, None] * step
    aside_max = float(
        np.abs((positions - line) - ((positions - line) @ normal)[:, None] * normal).max()
    )
    if aside_max > 10 * SPACING_TOLERANCE_MM:
        raise RejectedObjectError(
            "nonuniform_spacing", f"slices are displaced sideways by up to {aside_max:.2f} mm"
        )
    return step
