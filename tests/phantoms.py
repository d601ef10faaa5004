"""Simulated phantoms of quality control as the tests see them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from schemas.volume import ImageVolume
from tasks.phantom import find_spheres
from tasks.simulate.imaging import axial_grid
from tasks.simulate.phantoms import Blur, Pose, iq_phantom, uniform_cylinder

HOT = (10.0,) * 6

#: Spheres of an image that several tests look at, searched for once.
found_spheres = lru_cache(maxsize=32)(find_spheres)


def _grid_shape(
    voxel_mm: tuple[float, float, float], field_mm: tuple[float, float, float]
) -> tuple[int, int, int]:
    z, y, x = (round(f / v) for f, v in zip(field_mm, voxel_mm, strict=True))
    return z, y, x


def iq_image(
    *,
    fwhm_mm: tuple[float, float, float] = (5.0, 5.0, 5.0),
    voxel_mm: tuple[float, float, float] = (4.0, 4.0, 4.0),
    pose: Pose | None = None,
    ratios: tuple[float, ...] = HOT,
    background: float = 1.0,
    noise_cov: float = 0.0,
    calibration_factor: float = 1.0,
    rng: np.random.Generator | None = None,
) -> ImageVolume:
    """Image quality phantom; the field of view holds the spheres and the background about them."""
    shape = _grid_shape(voxel_mm, (144.0, 320.0, 340.0))
    grid = axial_grid(shape, voxel_mm, -76.0)
    blur = Blur(fwhm_mm, noise_cov, 5.0, calibration_factor)
    place = pose or Pose((1.3, -24.0, 2.1), (0.0, 0.0, 12.0))
    if rng is not None:
        values = iq_phantom(grid, place, blur, background=background, ratios=ratios, rng=rng)
        return ImageVolume(values, grid, "Bq/ml")
    return _without_noise(shape, voxel_mm, place, blur, background, ratios)


@lru_cache(maxsize=16)
def _without_noise(
    shape: tuple[int, int, int],
    voxel_mm: tuple[float, float, float],
    place: Pose,
    blur: Blur,
    background: float,
    ratios: tuple[float, ...],
) -> ImageVolume:
    """Return an image that several tests look at; nobody may write to it."""
    grid = axial_grid(shape, voxel_mm, -76.0)
    values = iq_phantom(grid, place, blur, background=background, ratios=ratios)
    values.setflags(write=False)
    return ImageVolume(values, grid, "Bq/ml")


def cylinder_image(
    *,
    diameter_mm: float = 200.0,
    length_mm: float = 180.0,
    pose: Pose | None = None,
    concentration: float = 1.0,
    noise_cov: float = 0.0,
    calibration_factor: float = 1.0,
    rng: np.random.Generator | None = None,
) -> ImageVolume:
    """Uniform cylinder on a grid of 4 mm."""
    grid = axial_grid((56, 72, 72), (4.0, 4.0, 4.0), -110.0)
    blur = Blur((6.0, 6.0, 6.0), noise_cov, 6.0, calibration_factor)
    values = uniform_cylinder(
        grid,
        pose or Pose((6.0, -9.0, 3.0)),
        blur,
        concentration=concentration,
        diameter_mm=diameter_mm,
        length_mm=length_mm,
        rng=rng,
    )
    return ImageVolume(values, grid, "Bq/ml")
