"""A sphere as a scanner of known resolution sees it, averaged exactly over each voxel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from schemas.geometry import FloatArray
from tasks.standardise.kernels import FWHM_PER_SIGMA

#: Size of the cells that a sphere is made of, mm.
_CELL_MM: Final = 1.0


@dataclass(frozen=True, eq=False)
class SphereImage:
    """A blurred sphere of concentration 1 on some voxels, and how it changes.

    Parameters
    ----------
    values : ndarray, (z, y, x), float64
        Voxel means.
    by_centre, by_fwhm : tuple of ndarray, (z, y, x), float64
        Derivatives by the centre and by the width along z, y, x; 1/mm.
    """

    values: FloatArray
    by_centre: tuple[FloatArray, FloatArray, FloatArray]
    by_fwhm: tuple[FloatArray, FloatArray, FloatArray]


def sphere_cells(radius_mm: float) -> tuple[FloatArray, FloatArray, float]:
    """Cut a sphere into cells: share of each that is inside, positions along an axis, cell size.

    The shares add up to the volume of the sphere exactly.
    """
    n = 2 * math.ceil(radius_mm / _CELL_MM) + 1
    step = 2.0 * radius_mm / (n - 1)
    axis = (np.arange(n) - (n - 1) / 2) * step
    squared = axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2
    # a ramp of one cell about the surface holds a little more outside than inside
    edge = radius_mm - step**2 / (12.0 * radius_mm)
    share = np.clip(0.5 - (np.sqrt(squared) - edge) / step, 0.0, 1.0)
    share *= 4.0 / 3.0 * math.pi * radius_mm**3 / (share.sum() * step**3)
    return np.asarray(share), np.asarray(axis, dtype=np.float64), step


def blurred_sphere(
    radius_mm: float,
    centre_mm: FloatArray,
    fwhm_mm: FloatArray,
    axes_mm: tuple[FloatArray, FloatArray, FloatArray],
    spacing: tuple[float, float, float],
) -> SphereImage:
    """Image of a sphere convolved with an anisotropic Gaussian.

    The Gaussian is integrated over every voxel in closed form (error function), so that the model
    holds at any ratio of width and voxel.

    Parameters
    ----------
    centre_mm, fwhm_mm : ndarray, (3,), float64
        z, y, x.
    axes_mm : tuple of ndarray
        Voxel centres along z, y, x.
    """
    share, cells, step = sphere_cells(radius_mm)
    kernels = [
        _kernel(axis, centre, fwhm, size, cells, step)
        for axis, centre, fwhm, size in zip(axes_mm, centre_mm, fwhm_mm, spacing, strict=True)
    ]
    (gz, cz, wz), (gy, cy, wy), (gx, cx, wx) = kernels
    in_x = share @ gx.T
    in_yx = np.einsum("yj,zjx->zyx", gy, in_x, optimize=True)
    plain = np.tensordot(gz, in_yx, axes=(1, 0))

    def along_y(kernel: FloatArray) -> FloatArray:
        part = np.einsum("yj,zjx->zyx", kernel, in_x, optimize=True)
        return np.asarray(np.tensordot(gz, part, axes=(1, 0)))

    def along_x(kernel: FloatArray) -> FloatArray:
        part = np.einsum("yj,zjx->zyx", gy, share @ kernel.T, optimize=True)
        return np.asarray(np.tensordot(gz, part, axes=(1, 0)))

    return SphereImage(
        np.asarray(plain),
        (np.tensordot(cz, in_yx, axes=(1, 0)), along_y(cy), along_x(cx)),
        (np.tensordot(wz, in_yx, axes=(1, 0)), along_y(wy), along_x(wx)),
    )


def _kernel(
    axis_mm: FloatArray, centre: float, fwhm: float, voxel: float, cells_mm: FloatArray, step: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Share of a cell's activity in each voxel, (voxels, cells), with derivatives.

    A cell acts as its activity in one point. Cutting into cells adds the variance of a cell
    (Sheppard's correction), which is taken off the Gaussian.
    """
    sigma = fwhm / FWHM_PER_SIGMA
    wide = math.sqrt(max(sigma**2 - step**2 / 12.0, 1e-3))
    offset = axis_mm[:, None] - centre - cells_mm[None, :]
    upper, lower = (offset + voxel / 2.0) / wide, (offset - voxel / 2.0) / wide
    density_upper = np.exp(-0.5 * upper**2) / math.sqrt(2.0 * math.pi)
    density_lower = np.exp(-0.5 * lower**2) / math.sqrt(2.0 * math.pi)
    scale = step / voxel
    value = (ndtr(upper) - ndtr(lower)) * scale
    by_centre = (density_lower - density_upper) * scale / wide
    by_wide = (lower * density_lower - upper * density_upper) * scale / wide
    return value, by_centre, by_wide * sigma / wide / FWHM_PER_SIGMA
