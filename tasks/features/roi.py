"""A region of interest cut out of its volume, with what lies around it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray, Geometry
from schemas.volume import ImageVolume

#: Box of a grid: slices ``(z, y, x)``.
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class RoiImage:
    """The box around a region: everything that feature families may look at.

    Parameters
    ----------
    values : ndarray, (z, y, x), float64
        Voxels in `value_unit`, also outside the region.
    mask : ndarray, (z, y, x), bool
        The region as drawn (IBSI: morphological mask).
    intensity_mask : ndarray, (z, y, x), bool
        The part of it whose intensities count: finite, and inside the re-segmentation range.
    spacing_mm : tuple of float
        Voxel size ``(z, y, x)``.
    value_unit : str
        ``SUVbw``, ``Bq/ml``, ``CNTS``, ``HU`` ...
    geometry : Geometry
        Grid of the box in the patient.
    """

    values: FloatArray
    mask: NDArray[np.bool_]
    intensity_mask: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]
    value_unit: str
    geometry: Geometry

    @property
    def intensities(self) -> FloatArray:
        """Values that count, (n,) in order z, y, x."""
        return self.values[self.intensity_mask]

    @property
    def volume_ml(self) -> float:
        """Voxels of the region as drawn times the volume of a voxel."""
        return float(self.mask.sum()) * self.geometry.voxel_volume_ml

    def resegmented(self, lowest: float | None, highest: float | None) -> RoiImage:
        """Return the same region without intensities outside ``[lowest, highest]``.

        References
        ----------
        IBSI reference manual (arXiv:1612.07003), section 2.5, "Re-segmentation".
        """
        keep = self.intensity_mask.copy()
        if lowest is not None:
            keep &= self.values >= lowest
        if highest is not None:
            keep &= self.values <= highest
        return replace(self, intensity_mask=keep)


def roi_image(volume: ImageVolume, mask: NDArray[np.bool_], margin_mm: float) -> RoiImage:
    """Cut a region and a margin out of a volume.

    Features of the box equal those of the whole volume if the margin is as wide as the widest
    neighbourhood that a feature looks at.

    Parameters
    ----------
    volume : ImageVolume
        (z, y, x).
    mask : ndarray, (z, y, x), bool
        The region, on the grid of the volume; an empty one gives a box of one voxel.
    margin_mm : float
        Margin on every side, cut off at the edge of the volume.

    Raises
    ------
    InvalidInputError
        Mask and volume differ in shape.
    """
    if mask.shape != volume.values.shape:
        raise InvalidInputError(
            f"mask {mask.shape} does not lie on the grid of the volume {volume.values.shape}"
        )
    box = _box(mask, margin_mm, volume.geometry.spacing)
    values = volume.values[box].astype(np.float64)
    inside = np.asarray(mask[box], dtype=np.bool_)
    affine = volume.geometry.affine.copy()
    affine[:3, 3] = volume.geometry.to_lps(np.array([s.start for s in box[::-1]], dtype=np.float64))
    nz, ny, nx = values.shape
    return RoiImage(
        values=values,
        mask=inside,
        intensity_mask=inside & np.isfinite(values),
        spacing_mm=volume.geometry.spacing,
        value_unit=volume.value_unit,
        geometry=Geometry((nz, ny, nx), affine),
    )


def _box(mask: NDArray[np.bool_], margin_mm: float, spacing_mm: tuple[float, float, float]) -> Box:
    """Smallest box around a mask plus whole voxels of margin."""
    bounds = []
    for axis, spacing in enumerate(spacing_mm):
        others = tuple(a for a in range(3) if a != axis)
        found = np.flatnonzero(mask.any(axis=others))
        low, high = (int(found[0]), int(found[-1])) if found.size else (0, 0)
        margin = int(np.floor(margin_mm / spacing + 1e-6)) if found.size else 0
        bounds.append(slice(max(low - margin, 0), min(high + margin + 1, mask.shape[axis])))
    z, y, x = bounds
    return z, y, x
