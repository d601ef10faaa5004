"""Phantoms of quality control as a scanner with a known resolution sees them.

The NEMA NU 2 image quality phantom (six spheres, lung insert, body) and a uniform cylinder, in any
position on any axial grid. Spheres are rendered on cells below a millimetre, convolved there and
then averaged over the voxels, so that the resolution is the one asked for at any voxel size.
The walls of the spheres (about 1 mm of plastic) and of the body are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import correlate1d
from scipy.spatial.transform import Rotation

from schemas.geometry import FloatArray, Geometry
from schemas.phantoms import (
    BODY_CORNER_OFFSET_MM,
    BODY_CORNER_RADIUS_MM,
    BODY_LENGTH_MM,
    BODY_UPPER_RADIUS_MM,
    LUNG_INSERT_DIAMETER_MM,
    SPHERE_CIRCLE_ABOVE_MM,
    SPHERE_CIRCLE_DIAMETER_MM,
    SPHERE_DIAMETERS_MM,
    SPHERE_PLANE_FROM_LID_MM,
)
from tasks.simulate.imaging import Image, correlated_noise, gaussian_kernel

#: Largest cell on which a sphere is rendered, mm.
_CELL_MM: Final = 0.8
_FWHM_PER_SIGMA: Final = 2.0 * math.sqrt(2.0 * math.log(2.0))


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a phantom lies.

    Parameters
    ----------
    centre_mm : tuple of float
        LPS (x, y, z) of the centre of the circle of spheres, or of the cylinder.
    rotation_deg : tuple of float
        Turns about x, then y, then z through that centre. Without any, the phantom lies on its flat
        side with the lid to the head; ``(0, 180, 0)`` turns the lid to the feet.
    """

    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def to_phantom(self, points_lps: FloatArray) -> FloatArray:
        """Map LPS mm (..., 3) to the phantom's own x, y, z."""
        turn = Rotation.from_euler("xyz", self.rotation_deg, degrees=True).as_matrix()
        own: FloatArray = (points_lps - np.asarray(self.centre_mm)) @ turn
        return own

    def to_lps(self, points: FloatArray) -> FloatArray:
        """Map the phantom's own x, y, z (..., 3) to LPS mm."""
        turn = Rotation.from_euler("xyz", self.rotation_deg, degrees=True).as_matrix()
        placed: FloatArray = points @ turn.T + np.asarray(self.centre_mm)
        return placed


@dataclass(frozen=True, slots=True)
class Blur:
    """What a scanner does to a phantom.

    Parameters
    ----------
    fwhm_mm : tuple of float
        Width of the point spread function along z, y, x.
    noise_cov, noise_fwhm_mm : float
        Coefficient of variation in the background, and how far the noise is correlated.
    calibration_factor : float
        Measured over true activity concentration.
    """

    fwhm_mm: tuple[float, float, float]
    noise_cov: float = 0.0
    noise_fwhm_mm: float = 5.0
    calibration_factor: float = 1.0


def sphere_centres_lps_mm(pose: Pose) -> FloatArray:
    """Centres of the spheres in the order of `SPHERE_DIAMETERS_MM`; (6, 3), LPS mm."""
    angle = np.arange(6) * math.pi / 3.0
    radius = SPHERE_CIRCLE_DIAMETER_MM / 2.0
    own = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(6)], axis=1)
    return pose.to_lps(own)


def iq_phantom(
    grid: Geometry,
    pose: Pose,
    blur: Blur,
    *,
    background: float = 1.0,
    ratios: tuple[float, ...] = (10.0,) * 6,
    rng: np.random.Generator | None = None,
) -> Image:
    """Image of a NEMA NU 2 image quality phantom.

    Parameters
    ----------
    grid : Geometry
        Axial grid with ascending axes.
    background : float
        True concentration in the background, in the unit of the image.
    ratios : tuple of float
        Sphere to background, for each sphere; 10 for EARL, 4 for NEMA, 0 for cold, 1 for none.
    rng : Generator, optional
        For the noise; without it there is none.

    Returns
    -------
    ndarray, (z, y, x), float32

    References
    ----------
    NEMA NU 2-2018, section 7.3 (the phantom).
    """
    points = pose.to_phantom(_points(grid, _whole(grid)))
    body = _coverage(_body_distance(points), grid.spacing)
    body *= 1.0 - _coverage(_lung_distance(points), grid.spacing)
    del points
    image = _blurred((background * body).astype(np.float32), grid.spacing, blur.fwhm_mm)
    centres = sphere_centres_lps_mm(pose)
    for centre, diameter, ratio in zip(centres, SPHERE_DIAMETERS_MM, ratios, strict=True):
        _add_sphere(image, grid, centre, diameter / 2.0, background * (ratio - 1.0), blur.fwhm_mm)
    return _measured(image, grid, blur, background, rng)


def uniform_cylinder(
    grid: Geometry,
    pose: Pose,
    blur: Blur,
    *,
    concentration: float = 1.0,
    diameter_mm: float = 200.0,
    length_mm: float = 250.0,
    rng: np.random.Generator | None = None,
) -> Image:
    """Image of a uniform cylinder along z; parameters as `iq_phantom`."""
    points = pose.to_phantom(_points(grid, _whole(grid)))
    radial = np.hypot(points[..., 0], points[..., 1]) - diameter_mm / 2.0
    inside = np.maximum(radial, np.abs(points[..., 2]) - length_mm / 2.0)
    filled = (concentration * _coverage(inside, grid.spacing)).astype(np.float32)
    image = _blurred(filled, grid.spacing, blur.fwhm_mm)
    return _measured(image, grid, blur, concentration, rng)


def _body_distance(points: FloatArray) -> FloatArray:
    """Distance outside (positive) or inside (negative) the body's inner surface, mm."""
    x, y, z = np.moveaxis(points, -1, 0)
    y = y - SPHERE_CIRCLE_ABOVE_MM  # y grows to the back; the arc's centre lies below the circle
    upper = np.hypot(x, y) - BODY_UPPER_RADIUS_MM
    beyond = np.maximum(np.abs(x) - BODY_CORNER_OFFSET_MM, 0.0)
    lower = np.hypot(beyond, y) - BODY_CORNER_RADIUS_MM
    across = np.where(y <= 0.0, upper, lower)
    lid, end = SPHERE_PLANE_FROM_LID_MM, SPHERE_PLANE_FROM_LID_MM - BODY_LENGTH_MM
    return np.asarray(np.maximum(across, np.maximum(z - lid, end - z)))


def _lung_distance(points: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(points[..., 0], points[..., 1]) - LUNG_INSERT_DIAMETER_MM / 2.0)


def _coverage(distance: FloatArray, spacing: tuple[float, float, float]) -> FloatArray:
    """Share of each cell inside a smooth surface, from the distance of its centre."""
    return np.clip(0.5 - distance / float(np.mean(spacing)), 0.0, 1.0)


def _whole(grid: Geometry) -> tuple[FloatArray, ...]:
    return tuple(np.arange(n, dtype=np.float64) for n in grid.shape)


def _points(grid: Geometry, index: tuple[FloatArray, ...]) -> FloatArray:
    """LPS mm of fractional indices (z), (y), (x); (z, y, x, 3)."""
    z, y, x = np.meshgrid(*index, indexing="ij")
    return grid.to_lps(np.stack([x, y, z], axis=-1))


def _add_sphere(
    image: Image,
    grid: Geometry,
    centre: FloatArray,
    radius_mm: float,
    excess: float,
    fwhm_mm: tuple[float, float, float],
) -> None:
    """Add a blurred sphere to its surroundings."""
    middle = grid.to_index(centre)[::-1]
    window, index, cells = [], [], []
    for axis, step in enumerate(grid.spacing):
        n = math.ceil(step / _CELL_MM)
        # three times the width is seven standard deviations
        reach = (radius_mm + 3.0 * fwhm_mm[axis]) / step + 1.0
        low = max(math.floor(middle[axis] - reach), 0)
        high = min(math.ceil(middle[axis] + reach) + 1, grid.shape[axis])
        if high <= low:
            return
        window.append(slice(low, high))
        index.append(low - 0.5 + (np.arange((high - low) * n) + 0.5) / n)
        cells.append(n)
    fine = (grid.spacing[0] / cells[0], grid.spacing[1] / cells[1], grid.spacing[2] / cells[2])
    # a ramp of one cell about the surface holds a little more outside than inside
    edge = radius_mm - float(np.mean(fine)) ** 2 / (12.0 * radius_mm)
    distance = np.linalg.norm(_points(grid, tuple(index)) - centre, axis=-1) - edge
    sphere = _blurred(_coverage(distance, fine), fine, fwhm_mm)
    shape = [n for w, c in zip(window, cells, strict=True) for n in (w.stop - w.start, c)]
    image[tuple(window)] += excess * sphere.reshape(shape).mean(axis=(1, 3, 5))


def _blurred(
    image: np.ndarray[tuple[int, ...], np.dtype[np.floating]],
    spacing: tuple[float, float, float],
    fwhm_mm: tuple[float, float, float],
) -> Image:
    for axis, (step, width) in enumerate(zip(spacing, fwhm_mm, strict=True)):
        kernel = gaussian_kernel(width / _FWHM_PER_SIGMA / step)
        image = correlate1d(image, kernel, axis=axis, mode="nearest")
    return image.astype(np.float32)


def _measured(
    image: Image, grid: Geometry, blur: Blur, reference: float, rng: np.random.Generator | None
) -> Image:
    if rng is not None and blur.noise_cov > 0.0:
        noise = correlated_noise(grid, blur.noise_fwhm_mm, rng)
        level = np.sqrt(np.maximum(image, 0.0) * np.float32(reference))
        image = np.maximum(image + noise * level * np.float32(blur.noise_cov), 0.0)
    return np.asarray(image * np.float32(blur.calibration_factor), dtype=np.float32)
