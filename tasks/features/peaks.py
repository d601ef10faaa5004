"""Mean intensity in a sphere of 1 ml: SUVpeak, in IBSI's two definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from tasks.features.roi import RoiImage

#: Radius of a sphere of 1 ml, mm.
SPHERE_RADIUS_MM: Final = (3.0 / (4.0 * np.pi)) ** (1.0 / 3.0) * 10.0


def local_peaks(roi: RoiImage, mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Local and global intensity peak.

    A voxel belongs to the sphere if its centre lies in it, and counts fully. Voxels outside the
    region count, voxels outside the volume (and not finite ones) do not.

    Parameters
    ----------
    roi : RoiImage
        With a margin of at least `SPHERE_RADIUS_MM`.
    mask : ndarray, (z, y, x), bool
        Voxels around which spheres are laid; finite ones only.

    Returns
    -------
    local, global : float
        Local: around the highest voxel (the highest of the peaks if several voxels are equal).
        Global: the highest around any voxel. NaN without voxels.

    References
    ----------
    IBSI reference manual (arXiv:1612.07003), section 3.2: VJGA and 0F91. Wahl RL et al. J Nucl
    Med 2009;50 Suppl 1:122S (1 ml sphere of PERCIST).
    """
    if not mask.any():
        return np.nan, np.nan
    means = _sphere_means(roi, mask)
    values = roi.values[mask]
    return float(means[values == values.max()].max()), float(means.max())


def _sphere_means(roi: RoiImage, mask: NDArray[np.bool_]) -> FloatArray:
    """Mean in the sphere around each voxel of `mask`, (n,).

    The sphere is a stack of runs along x, and the sum of a run is a difference of running sums.
    """
    finite = np.isfinite(roi.values)
    sums = _running(np.where(finite, roi.values, 0.0))
    counts = _running(finite.astype(np.float64))
    z, y, x = np.nonzero(mask)
    nz, ny, nx = roi.values.shape
    total, number = np.zeros(z.size), np.zeros(z.size)
    for dz, dy, half in _runs(roi.spacing_mm):
        inside = (z + dz >= 0) & (z + dz < nz) & (y + dy >= 0) & (y + dy < ny)
        zz, yy, xx = z[inside] + dz, y[inside] + dy, x[inside]
        low, high = np.maximum(xx - half, 0), np.minimum(xx + half + 1, nx)
        total[inside] += sums[zz, yy, high] - sums[zz, yy, low]
        number[inside] += counts[zz, yy, high] - counts[zz, yy, low]
    means: FloatArray = total / number
    return means


def _running(values: FloatArray) -> FloatArray:
    """Give the sums of the first 0, 1, ... nx values of each row."""
    return np.pad(np.cumsum(values, axis=2), ((0, 0), (0, 0), (1, 0)))


def _runs(spacing_mm: tuple[float, float, float]) -> Iterator[tuple[int, int, int]]:
    """Offsets ``(dz, dy)`` of the runs of a sphere with the half length of each, in voxels."""
    sz, sy, sx = spacing_mm
    reach_z = int(SPHERE_RADIUS_MM / sz + 1e-6)
    reach_y = int(SPHERE_RADIUS_MM / sy + 1e-6)
    for dz in range(-reach_z, reach_z + 1):
        for dy in range(-reach_y, reach_y + 1):
            rest = SPHERE_RADIUS_MM**2 - (dz * sz) ** 2 - (dy * sy) ** 2
            if rest >= -1e-6:
                yield dz, dy, int(np.sqrt(max(rest, 0.0)) / sx + 1e-6)
