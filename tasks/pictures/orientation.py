"""Arrays turned to the patient; nothing is drawn here, so nothing that draws is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry


@dataclass(frozen=True, eq=False)
class PatientArray:
    """An array turned so that its axes run to the patient's head, back and left.

    Parameters
    ----------
    values : ndarray, (s, p, l)
        Any type.
    spacing_mm : tuple of float
        Along s, p, l.
    """

    values: NDArray[Any]
    spacing_mm: tuple[float, float, float]


def to_patient(values: NDArray[Any], geometry: Geometry) -> PatientArray:
    """Turn and flip an array ``(z, y, x)`` to its nearest patient axes; nothing is interpolated.

    Parameters
    ----------
    values : ndarray, (z, y, x)
        On `geometry`.
    geometry : Geometry
        In any orientation; an oblique grid is shown along the nearest axes.
    """
    axes = patient_axes(geometry)
    signs = [geometry.affine[lps, 2 - axis] for lps, axis in zip((2, 1, 0), axes, strict=True)]
    turned = values.transpose(axes)
    flips = tuple(slice(None, None, 1 if sign > 0 else -1) for sign in signs)
    s, p, l = (geometry.spacing[axis] for axis in axes)  # noqa: E741 - L of LPS
    return PatientArray(turned[flips], (s, p, l))


def patient_axes(geometry: Geometry) -> tuple[int, int, int]:
    """Array axes (0 z, 1 y, 2 x) that run nearest to the patient's head, back and left."""
    directions = geometry.affine[:3, :3] / np.linalg.norm(geometry.affine[:3, :3], axis=0)
    left, back, head = (2 - axis for axis in _nearest_axes(np.abs(directions)))
    return head, back, left


def seen_columns(seen: NDArray[np.bool_], margin: int) -> slice:
    """Columns from the first to the last with anything seen, and `margin` more on both sides.

    Examples
    --------
    >>> seen_columns(np.array([[False, False, True, False, False, False]]), margin=1)
    slice(1, 4, None)
    """
    found = np.flatnonzero(seen.any(axis=0))
    if not found.size:
        return slice(None)
    return slice(max(int(found[0]) - margin, 0), int(found[-1]) + margin + 1)


def _nearest_axes(weights: FloatArray) -> list[int]:
    """Index axis (0 x, 1 y, 2 z) of each patient axis, each used once, best matches first."""
    free = weights.copy()
    chosen = [0, 0, 0]
    for _ in range(3):
        lps, index = np.unravel_index(int(np.argmax(free)), (3, 3))
        chosen[int(lps)] = int(index)
        free[lps, :] = -1.0
        free[:, index] = -1.0
    return chosen
