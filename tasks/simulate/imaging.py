"""From solids to images: rendering with partial volume, resolution, correlated noise."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import ive

from schemas.geometry import FloatArray, Geometry
from tasks.simulate.anatomy import Solid

Image = NDArray[np.float32]
_FWHM_PER_SIGMA: Final = 2.0 * math.sqrt(2.0 * math.log(2.0))


def axial_grid(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], z_first_mm: float
) -> Geometry:
    """Axial grid, slices ascending in z, centred on x = y = 0.

    Parameters
    ----------
    shape, spacing
        ``(z, y, x)``, voxels and mm.
    z_first_mm : float
        Position of the lowest slice (its centre).
    """
    affine = np.diag([spacing[2], spacing[1], spacing[0], 1.0])
    # Rounded to 1e-4 mm: a coordinate must survive its 16 characters in the DICOM header.
    affine[:3, 3] = np.round(
        [
            -(shape[2] - 1) / 2 * spacing[2],
            -(shape[1] - 1) / 2 * spacing[1],
            z_first_mm,
        ],
        4,
    )
    return Geometry(shape, affine)


def _level(solid: Solid, z: FloatArray, y: FloatArray, x: FloatArray) -> FloatArray:
    """At most 1 inside the solid; its gradient is at most 1 / (smallest semi-axis)."""
    (cx, cy, cz), (a, b, c), n = solid.centre, solid.semi_axes, solid.exponent
    rho2 = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2
    along = np.abs((z - cz) / c)
    if n == 2.0:
        level: FloatArray = np.sqrt(rho2 + along**2)
        return level
    # The larger of the two norms is factored out: along**n overflows nothing and stays exact.
    total: FloatArray = (rho2 ** (n / 2) + along**n) ** (1.0 / n)
    return total


def _window(centre: float, half: float, axis: FloatArray) -> slice:
    step = abs(axis[1] - axis[0])
    start = np.searchsorted(axis, centre - half - step)
    stop = np.searchsorted(axis, centre + half + step, side="right")
    return slice(int(start), int(stop))


def coverage(solid: Solid, grid: Geometry, samples: int) -> tuple[tuple[slice, ...], FloatArray]:
    """Fraction of each voxel that lies inside a solid.

    Parameters
    ----------
    solid : Solid
        Shape.
    grid : Geometry
        Axial grid with ascending axes.
    samples : int
        Sub-samples per axis for voxels that the surface may cross; other voxels are 0 or 1.

    Returns
    -------
    window : tuple of slice
        Part of the grid (z, y, x) that holds the solid.
    fraction : ndarray, (z, y, x) of the window, float64, 0 to 1
        Covered fraction of the voxel volume.
    """
    axes = grid.axis_coordinates()
    half = (solid.semi_axes[2], solid.semi_axes[1], solid.semi_axes[0])
    centre = (solid.centre[2], solid.centre[1], solid.centre[0])
    window = tuple(_window(c, h, a) for c, h, a in zip(centre, half, axes, strict=True))
    z, y, x = (axis[w] for axis, w in zip(axes, window, strict=True))
    level = _level(solid, z[:, None, None], y[None, :, None], x[None, None, :])
    fraction = (level <= 1.0).astype(np.float64)
    reach = 0.5 * math.sqrt(sum(s * s for s in grid.spacing)) / min(solid.semi_axes)
    iz, iy, ix = np.nonzero(np.abs(level - 1.0) < reach)
    if iz.size:
        fraction[iz, iy, ix] = _subsampled(solid, (z[iz], y[iy], x[ix]), grid.spacing, samples)
    return window, fraction


def _subsampled(
    solid: Solid,
    points: tuple[FloatArray, FloatArray, FloatArray],
    spacing: tuple[float, float, float],
    samples: int,
) -> FloatArray:
    shift = (np.arange(samples) + 0.5) / samples - 0.5
    total = np.zeros(points[0].size)
    for dz in shift * spacing[0]:
        for dy in shift * spacing[1]:
            for dx in shift * spacing[2]:
                total += _level(solid, points[0] + dz, points[1] + dy, points[2] + dx) <= 1.0
    return np.asarray(total / samples**3)


def render(
    solids: tuple[tuple[Solid, float, int], ...], grid: Geometry, background: float
) -> Image:
    """Paint solids over one another with partial volume.

    Parameters
    ----------
    solids : tuple of (Solid, value, samples)
        In the order of painting; `value` in the unit of the image.
    grid : Geometry
        Axial grid.
    background : float
        Value outside all solids.

    Returns
    -------
    ndarray, (z, y, x), float32
        Voxel means.
    """
    image = np.full(grid.shape, background, dtype=np.float32)
    for solid, value, samples in solids:
        window, fraction = coverage(solid, grid, samples)
        part = image[window]
        part += fraction.astype(np.float32) * (np.float32(value) - part)
    return image


def gaussian_kernel(sigma: float) -> FloatArray:
    """Discrete Gaussian of standard deviation `sigma` voxels.

    Its variance is exactly ``sigma**2`` for any width; a sampled Gaussian is wrong below about
    0.6 voxels.

    References
    ----------
    Lindeberg, Scale-space for discrete signals, IEEE PAMI 12:234 (1990).

    Examples
    --------
    >>> k = gaussian_kernel(0.5)
    >>> n = np.arange(len(k)) - len(k) // 2
    >>> round(float((k * n**2).sum()), 6)
    0.25
    """
    radius = max(3, math.ceil(5.0 * sigma + 2.0))
    kernel = ive(np.arange(-radius, radius + 1), sigma**2)
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


def _kernels(fwhm_mm: float, grid: Geometry) -> list[FloatArray]:
    return [gaussian_kernel(fwhm_mm / _FWHM_PER_SIGMA / step) for step in grid.spacing]


def blur(image: Image, grid: Geometry, fwhm_mm: float) -> Image:
    """Apply an isotropic Gaussian of `fwhm_mm`; edges are continued."""
    for axis, kernel in enumerate(_kernels(fwhm_mm, grid)):
        image = correlate1d(image, kernel, axis=axis, mode="nearest")
    return image


def correlated_noise(grid: Geometry, fwhm_mm: float, rng: np.random.Generator) -> Image:
    """White noise after a Gaussian filter, scaled to unit variance; (z, y, x) float32."""
    noise: Image = rng.standard_normal(grid.shape, dtype=np.float32)
    scale = 1.0
    for axis, kernel in enumerate(_kernels(fwhm_mm, grid)):
        noise = correlate1d(noise, kernel, axis=axis, mode="wrap")
        scale *= float((kernel**2).sum())
    noise /= np.float32(math.sqrt(scale))
    return noise


def acquire(
    truth: Image,
    grid: Geometry,
    *,
    psf_fwhm_mm: float,
    noise_cov: float,
    noise_fwhm_mm: float,
    reference: float,
    rng: np.random.Generator,
) -> Image:
    """Image that a scanner makes of `truth`: resolution, then noise with variance ~ activity.

    Parameters
    ----------
    truth : ndarray, (z, y, x), float32
        Uptake, never negative.
    noise_cov, reference : float
        Coefficient of variation in a region of uptake `reference`.

    Returns
    -------
    ndarray, (z, y, x), float32
        Not negative, as iterative reconstructions are.
    """
    blurred = blur(truth, grid, psf_fwhm_mm)
    noise = correlated_noise(grid, noise_fwhm_mm, rng)
    noise *= np.sqrt(blurred * np.float32(reference)) * np.float32(noise_cov)
    return np.asarray(np.maximum(blurred + noise, 0.0), dtype=np.float32)
