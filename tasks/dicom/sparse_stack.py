"""Grid of frames of which some planes are left out because they are empty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray, Geometry
from tasks.dicom.functional_groups import Frame
from tasks.dicom.stack import (
    MAX_TILT_DEGREES,
    SAME_POSITION_MM,
    SPACING_TOLERANCE,
    SPACING_TOLERANCE_MM,
    plane_directions,
    plane_stack,
)


def sparse_geometry(
    frames: Sequence[Frame], rows: int, columns: int
) -> tuple[NDArray[np.intp], Geometry]:
    """Find the smallest regular grid that holds every frame.

    Parameters
    ----------
    frames : sequence of Frame
        In any order; several may lie at one position (several segments).
    rows, columns : int
        Size of each frame.

    Returns
    -------
    plane : ndarray, (frame,), intp
        Index of each frame's plane, ascending along row direction x column direction.
    geometry : Geometry
        From the first to the last plane, empty ones between them included. On a tilted CT the step
        from plane to plane leans against their normal, as in `tasks.dicom.stack.stack_geometry`.

    Raises
    ------
    RejectedObjectError
        ``mixed_orientations``, ``mixed_sizes``, ``gantry_tilt`` (over 45 degrees),
        ``nonuniform_spacing``, or ``missing_attribute`` if nothing tells the distance of planes.
    """
    first = frames[0]
    _require_one_plane_kind(frames)
    row, column = plane_directions(first.orientation)
    normal = np.cross(row, column)
    positions = np.array([f.position for f in frames], dtype=np.float64)
    along = positions @ normal
    lowest = positions[int(np.argmin(along))]
    distance = _distance(along, first)
    plane = np.round((along - along.min()) / distance).astype(np.intp)
    step = _step(positions - lowest, along - along.min(), normal, distance)
    geometry = plane_stack(
        rows, columns, first.pixel_spacing, (row, column), lowest, step,
        int(plane.max()) + 1,
    )  # fmt: skip
    return plane, geometry


def _step(
    offsets: FloatArray, heights: FloatArray, normal: FloatArray, distance: float
) -> FloatArray:
    """Vector from plane to plane; it leans where the image was acquired with a tilted gantry.

    Parameters
    ----------
    offsets : ndarray, (frame, 3)
        From the lowest frame; mm.
    heights : ndarray, (frame,)
        The same along the normal.
    """
    highest = int(np.argmax(heights))
    if heights[highest] < SAME_POSITION_MM:
        direction = normal
    else:
        direction = offsets[highest] / heights[highest]
    aside = offsets - np.outer(heights, direction)
    aside -= np.outer(aside @ normal, normal)
    off = float(np.linalg.norm(aside, axis=1).max())
    if off > 10 * SPACING_TOLERANCE_MM:
        raise RejectedObjectError(
            "nonuniform_spacing", f"frames are displaced sideways by up to {off:.2f} mm"
        )
    angle = float(np.degrees(np.arccos(min(1.0, 1 / float(np.linalg.norm(direction))))))
    if angle > MAX_TILT_DEGREES:
        raise RejectedObjectError("gantry_tilt", f"frames lean by {angle:.2f} degrees")
    return np.asarray(direction * distance)


def _distance(along: FloatArray, frame: Frame) -> float:
    """Distance between planes such that every position is a whole number of them."""
    places = np.sort(along)
    gaps = np.diff(places)
    gaps = gaps[gaps > SAME_POSITION_MM]
    declared = frame.spacing_between_slices or frame.slice_thickness
    if not gaps.size:
        if not declared or declared <= 0:
            raise RejectedObjectError(
                "missing_attribute", "SpacingBetweenSlices and SliceThickness are absent"
            )
        return declared
    span = float(places[-1] - places[0])
    for candidate in (frame.spacing_between_slices, float(gaps.min())):
        if candidate and candidate > 0 and (n := round(span / candidate)) >= 1:
            exact = span / n
            off = np.abs((places - places[0]) / exact - np.round((places - places[0]) / exact))
            if off.max() * exact <= max(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * exact):
                return exact
    raise RejectedObjectError(
        "nonuniform_spacing", f"distances from {gaps.min():.3f} to {gaps.max():.3f} mm"
    )


def _require_one_plane_kind(frames: Sequence[Frame]) -> None:
    orientations = np.array([f.orientation for f in frames])
    if np.ptp(orientations, axis=0).max() > 1e-4:
        raise RejectedObjectError("mixed_orientations", "frames of different orientation")
    if np.ptp(np.array([f.pixel_spacing for f in frames]), axis=0).max() > 1e-3:
        raise RejectedObjectError("mixed_sizes", "frames of different pixel spacing")
