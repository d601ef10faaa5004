"""Resampling of values between any two grids in patient space."""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.geometry import Geometry
from tasks.standardise.source import Values, source_of
from tasks.standardise.streaming import resampled_blocks

_NO_SMOOTHING: Final = (0.0, 0.0, 0.0)


def resample(
    values: Values, from_geometry: Geometry, to_geometry: Geometry, order: int, fill: float
) -> Values:
    """Resample values onto another grid.

    Parameters
    ----------
    values : ndarray, (z, y, x), float32
        On `from_geometry`.
    order : {0, 1, 2, 3, 4, 5}
        Nearest, linear, or interpolating B-spline of that degree. Linear never leaves the range of
        the values; splines overshoot beside edges, and nothing is clipped.
    fill : float
        Value of voxels whose centre lies outside the voxels of the old grid.

    Returns
    -------
    ndarray, (z, y, x), float32
        On `to_geometry`.
    """
    return resample_smoothed(values, from_geometry, to_geometry, order, fill, _NO_SMOOTHING)


def resample_smoothed(
    values: Values,
    from_geometry: Geometry,
    to_geometry: Geometry,
    order: int,
    fill: float,
    fwhm_mm: tuple[float, float, float],
) -> Values:
    """Smooth with a Gaussian, then resample; in one step where the grids are parallel.

    Parameters
    ----------
    fwhm_mm : tuple of float
        FWHM of the Gaussian along the axes (z, y, x) of the *old* array.
    """
    result = np.empty(to_geometry.shape, dtype=np.float32)
    done = 0
    source = source_of(values, from_geometry)
    for block in resampled_blocks(source, to_geometry, order, fill, fwhm_mm):
        result[done : done + len(block)] = block
        done += len(block)
    return result
