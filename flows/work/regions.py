"""ROIs on the grid of the volume that is shown, as boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.work.features import RoiSource
from flows.work.shown import ShownVolume
from lake.volumes import read_mask
from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray, Geometry
from schemas.volume import MaskVolume
from tasks.segment.boxes import Box, box_around, corners, sub_grid
from tasks.segment.contours import rasterise_contours
from tasks.segment.masks import label_box, mask_to_grid

#: Contours stand for slabs that reach beyond the outermost ones.
_MARGIN_MM: Final = 10.0


@dataclass(frozen=True, eq=False)
class Region:
    """One ROI on the grid of the volume that is shown.

    Parameters
    ----------
    label : str
        Its name.
    property_code : str or None
        Coded meaning.
    mask : MaskVolume
        A box of the grid.
    """

    label: str
    property_code: str | None
    mask: MaskVolume

    @property
    def centre_lps(self) -> FloatArray:
        """Centroid of its voxels, (3,) LPS mm."""
        zyx = np.argwhere(self.mask.labels > 0).mean(axis=0)
        return self.mask.geometry.to_lps(zyx[::-1])

    def voxels(self, volume: ShownVolume) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Positions (n,) in the flattened volume of the region's voxels, and the values there."""
        x, y, z = np.rint(volume.geometry.to_index(self.mask.geometry.affine[:3, 3])).astype(int)
        nz, ny, nx = self.mask.labels.shape
        box = volume.array[z : z + nz, y : y + ny, x : x + nx].to_numpy()
        inside = np.nonzero(self.mask.labels)
        index = tuple(i + first for i, first in zip(inside, (z, y, x), strict=True))
        return np.ravel_multi_index(index, volume.geometry.shape), box[inside]


def union_values(volume: ShownVolume, regions: Sequence[Region]) -> NDArray[Any]:
    """Values in any of some regions, each voxel once, (n,)."""
    if not regions:
        return np.zeros(0, dtype=np.float32)
    positions, values = zip(*(region.voxels(volume) for region in regions), strict=True)
    _, once = np.unique(np.concatenate(positions), return_index=True)
    return np.asarray(np.concatenate(values)[once])


def regions_on(
    root: str, sources: Sequence[tuple[RoiSource, str | None]], grid: Geometry
) -> list[Region]:
    """Put ROIs on a grid; those that lie outside it, or cannot be drawn, are left out.

    Parameters
    ----------
    root : str
        Of the volumes.
    sources : sequence of (RoiSource, str or None)
        Contours or labels of stored masks, with their coded meaning.
    grid : Geometry
        Of the volume that is shown.
    """
    found = []
    for source, code in sources:
        mask = _on_grid(root, source, grid)
        if mask is not None and mask.labels.any():
            found.append(Region(source.label, code, mask))
    return found


def _on_grid(root: str, source: RoiSource, grid: Geometry) -> MaskVolume | None:
    if source.mask_path is None:
        points = np.concatenate(source.contours)
        margin = max(_MARGIN_MM, 2 * max(grid.spacing))
        target = _part_of(grid, box_around(grid, points, margin))
        if target is None:
            return None
        try:
            inside = rasterise_contours(source.contours, target)
        except RejectedObjectError:
            return None
        return MaskVolume(inside.astype(np.uint8), target)
    stored = read_mask(root, source.mask_path)
    box = label_box(np.asarray(stored.labels == source.segment_number))
    if box is None:
        return None
    here = sub_grid(stored.geometry, box)
    target = _part_of(grid, box_around(grid, corners(here), max(here.spacing)))
    if target is None:
        return None
    inside = mask_to_grid(stored, source.segment_number, target)
    return MaskVolume(inside.astype(np.uint8), target)


def _part_of(grid: Geometry, box: Box) -> Geometry | None:
    if any(s.stop <= s.start for s in box):
        return None
    return sub_grid(grid, box)
