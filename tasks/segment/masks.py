"""Masks and label maps to another grid."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from schemas.geometry import Geometry
from schemas.volume import MaskVolume
from tasks.segment.boxes import Box, box_around, corners, sub_grid

#: Rounding must not decide a voxel exactly on the boundary.
_TIE: Final = 1e-6


def mask_to_grid(
    mask: MaskVolume, label: int, geometry: Geometry, *, order: int = 1, threshold: float = 0.5
) -> NDArray[np.bool_]:
    """One label of a mask on another grid, by interpolation and a limit.

    Only the box around the label is interpolated. Outside the mask's grid is background.

    Parameters
    ----------
    mask : MaskVolume
        Mask or label map on its own grid, in any orientation.
    label : int
        Value to take.
    geometry : Geometry
        Grid of the result.
    order : {0, 1}
        Nearest neighbour or trilinear interpolation.
    threshold : float
        Share from which a voxel belongs to the label.

    Returns
    -------
    ndarray, (z, y, x), bool
        All False if the label does not occur or lies outside the grid.

    References
    ----------
    IBSI reference manual (arXiv:1612.07003), section 2.4, "Segmentation interpolation".
    """
    result = np.zeros(geometry.shape, dtype=np.bool_)
    here: NDArray[np.bool_] = np.asarray(mask.labels == label)
    source_box = label_box(here)
    if source_box is None:
        return result
    if _same_grid(mask.geometry, geometry):
        return here
    source = sub_grid(mask.geometry, source_box)
    box = box_around(geometry, corners(source), margin_mm=max(source.spacing))
    if not result[box].size:
        return result
    target = sub_grid(geometry, box)
    to_source = np.linalg.inv(source.affine) @ target.affine
    values = ndimage.affine_transform(  # type: ignore[call-overload]  # stubs know literal orders only
        np.pad(here[source_box], 1).astype(np.float64),
        to_source[:3, :3][::-1, ::-1],
        to_source[:3, 3][::-1] + 1.0,
        target.shape,
        order=order,
        mode="constant",
    )
    result[box] = values >= threshold - _TIE
    return result


def label_box(mask: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box ``(z, y, x)`` around the True voxels of a mask; None without any."""
    if not mask.any():
        return None
    bounds = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        found = np.flatnonzero(mask.any(axis=others))
        bounds.append(slice(int(found[0]), int(found[-1]) + 1))
    z, y, x = bounds
    return z, y, x


def _same_grid(one: Geometry, other: Geometry) -> bool:
    return tuple(one.shape) == tuple(other.shape) and bool(
        np.allclose(one.affine, other.affine, rtol=0.0, atol=1e-4)
    )
