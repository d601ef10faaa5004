"""The standard grid that belongs to a volume, and how two grids lie to each other."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from schemas.geometry import FloatArray, Geometry
from schemas.profiles import StandardProfile

#: Excess over a whole number of voxels that is rounding of the header, in voxels.
_ROUNDING_VOXELS = 1e-3
#: Largest shear or rotation over the whole grid that counts as none, in source voxels.
_ALIGNED_VOXELS = 0.02


def grid_for(geometry: Geometry, profile: StandardProfile) -> Geometry:
    """Lay the canonical grid of a profile over a volume.

    x runs to the patient's left, y to posterior, z to superior. The new grid covers the extent of
    the old: ``ceil(n s / s')`` voxels along each axis; where it lies says the profile's
    `alignment`. An oblique volume is covered by the box around its corners.

    Parameters
    ----------
    geometry : Geometry
        Any orientation.
    profile : StandardProfile
        Gives spacing and alignment.

    Examples
    --------
    >>> pet = Geometry((10, 8, 8), np.diag([5.0, 5.0, 3.0, 1.0]))
    >>> grid_for(pet, StandardProfile("p/1", "PT", (4.0, 4.0, 4.0))).shape
    (8, 10, 10)

    References
    ----------
    IBSI reference manual, section 2.4 (interpolation: align grid centres, align grid origins).
    """
    linear = geometry.affine[:3, :3]
    counts = np.array(geometry.shape[::-1], dtype=np.float64)
    spacing = _spacing_xyz(linear, profile)
    extent = np.abs(linear) @ counts
    shape = np.array([max(1, math.ceil(n - _ROUNDING_VOXELS)) for n in extent / spacing])
    centre = geometry.to_lps((counts - 1) / 2)
    first = {
        "centre": centre - spacing * (shape - 1) / 2,
        "first_voxel": centre - extent / 2 + np.abs(linear).sum(axis=1) / 2,
        "corner": centre - extent / 2 + spacing / 2,
    }
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = first[profile.alignment]
    x, y, z = (int(n) for n in shape)
    return Geometry((z, y, x), affine)


def _spacing_xyz(linear: FloatArray, profile: StandardProfile) -> FloatArray:
    """Voxel size (x, y, z); as acquired where the profile gives none."""
    if profile.spacing_mm is not None:
        return np.array(profile.spacing_mm[::-1], dtype=np.float64)
    return np.asarray(np.linalg.norm(linear, axis=1))


def crop_grid(geometry: Geometry, box: tuple[slice, slice, slice]) -> Geometry:
    """Grid of ``array[box]`` (z, y, x slices with start and stop, step 1)."""
    starts = np.array([s.start for s in box[::-1]], dtype=np.float64)
    affine = np.array(geometry.affine)
    affine[:3, 3] = geometry.to_lps(starts)
    z, y, x = (s.stop - s.start for s in box)
    return Geometry((z, y, x), affine)


def image_of(part: Geometry, to_geometry: Geometry) -> tuple[slice, slice, slice] | None:
    """Box of another grid that holds the voxels of `part`; None if they do not meet."""
    ends = [(-0.5, n - 0.5) for n in part.shape[::-1]]
    corners = to_geometry.to_index(part.to_lps(np.array(list(itertools.product(*ends)))))
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, to_geometry.shape[::-1])
    if (high <= low).any():
        return None
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


@dataclass(frozen=True, eq=False)
class AxisMap:
    """Where an axis of the new grid lies on an axis of the old one.

    Parameters
    ----------
    source_axis : int
        Axis of the old array, 0 to 2 for z, y, x.
    positions : ndarray, (n_new,), float64
        Old index, fractional, of each new voxel.
    """

    source_axis: int
    positions: FloatArray


def axis_maps(from_geometry: Geometry, to_geometry: Geometry) -> tuple[AxisMap, ...] | None:
    """Map each axis of the new array (z, y, x) to one of the old, or None if rotated or sheared.

    Deviations that nowhere reach a fiftieth of a voxel count as parallel.
    """
    relation = np.linalg.inv(from_geometry.affine) @ to_geometry.affine
    linear, offset = relation[:3, :3], relation[:3, 3]
    counts = np.array(to_geometry.shape[::-1], dtype=np.float64)
    main = np.argmax(np.abs(linear) * np.maximum(counts - 1, 1), axis=0)
    if len(set(main.tolist())) != 3:
        return None
    aside = linear.copy()
    aside[main, np.arange(3)] = 0.0
    if (np.abs(aside) @ (counts - 1)).max() > _ALIGNED_VOXELS:
        return None
    centre_shift = aside @ ((counts - 1) / 2)
    maps = []
    for new in (2, 1, 0):  # z, y, x of the new array in x, y, z numbering
        old = int(main[new])
        positions = offset[old] + centre_shift[old] + linear[old, new] * np.arange(counts[new])
        maps.append(AxisMap(2 - old, positions))
    return tuple(maps)
