"""Maximum intensity projections of a volume that comes in pieces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import Geometry
from schemas.volume import MaskVolume

#: Three arrays (z, y, x) of which one axis each has length 1: what is projected or cut along it.
Flat = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def projections(slabs: Iterable[NDArray[Any]]) -> Flat:
    """Maximum intensity projections along each axis, from slabs that come one after the other.

    Parameters
    ----------
    slabs : iterable of ndarray, (z, y, x)
        The volume in pieces along z, in order; never more than one is held.

    Returns
    -------
    tuple of ndarray
        Shapes (1, y, x), (z, 1, x) and (z, y, 1).

    Examples
    --------
    >>> along_z, along_y, along_x = projections([np.eye(2)[None], 3 * np.eye(2)[None]])
    >>> along_z.max(), along_y.shape, along_x[:, 0, 0]
    (np.float64(3.0), (2, 1, 2), array([1., 3.]))
    """
    along_z: NDArray[Any] | None = None
    along_y, along_x = [], []
    for slab in slabs:
        values = np.nan_to_num(slab, nan=0.0, posinf=0.0, neginf=0.0)
        highest = values.max(axis=0, keepdims=True)
        along_z = highest if along_z is None else np.maximum(along_z, highest)
        along_y.append(values.max(axis=1, keepdims=True))
        along_x.append(values.max(axis=2, keepdims=True))
    if along_z is None:
        raise ValueError("expected at least one slab, got none")
    return along_z, np.concatenate(along_y), np.concatenate(along_x)


def projected_masks(masks: Iterable[MaskVolume], grid: Geometry) -> Flat:
    """Shadows of masks along each axis of a grid, bool.

    Parameters
    ----------
    masks : iterable of MaskVolume
        Boxes on the grid.
    grid : Geometry
        Of the whole volume.
    """
    nz, ny, nx = grid.shape
    shapes = ((1, ny, nx), (nz, 1, nx), (nz, ny, 1))
    along_z, along_y, along_x = (np.zeros(shape, dtype=np.bool_) for shape in shapes)
    for mask in masks:
        x, y, z = np.rint(grid.to_index(mask.geometry.affine[:3, 3])).astype(int)
        nz, ny, nx = mask.labels.shape
        inside = mask.labels > 0
        along_z[:, y : y + ny, x : x + nx] |= inside.any(axis=0, keepdims=True)
        along_y[z : z + nz, :, x : x + nx] |= inside.any(axis=1, keepdims=True)
        along_x[z : z + nz, y : y + ny, :] |= inside.any(axis=2, keepdims=True)
    return along_z, along_y, along_x
