"""Telling the filled body of a phantom from the air around it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import ndimage

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from tasks.phantom.model import Mask
from tasks.standardise.kernels import FWHM_PER_SIGMA, gaussian_weights

#: Smoothing before anything is searched for, mm.
_SEARCH_FWHM_MM: Final = 7.0
#: The brightest so many ml of an image hold more than spheres, ml.
_SURELY_BODY_ML: Final = 1200.0
#: Smallest body that is a phantom of this kind, ml.
_LEAST_BODY_ML: Final = 1500.0


def smoothed(values: FloatArray, spacing: tuple[float, float, float], fwhm_mm: float) -> FloatArray:
    """Gaussian of `fwhm_mm` along every axis; edges are continued."""
    for axis, step in enumerate(spacing):
        weights = gaussian_weights(fwhm_mm / FWHM_PER_SIGMA / step)
        values = ndimage.correlate1d(values, weights, axis=axis, mode="nearest")
    return np.asarray(values, dtype=np.float64)


def find_body(
    values: FloatArray, spacing: tuple[float, float, float]
) -> tuple[Mask, float, FloatArray]:
    """Find the largest filled region, its level and the smoothed image.

    Returns
    -------
    body : ndarray, (z, y, x), bool
        Holes in each slice (the lung insert) are filled.
    level : float
        Typical value inside.
    search : ndarray, (z, y, x), float64
        The image smoothed with a Gaussian of 7 mm.

    Raises
    ------
    InvalidInputError
        There is nothing as large as a phantom.
    """
    search = smoothed(np.nan_to_num(values).astype(np.float64), spacing, _SEARCH_FWHM_MM)
    # hot spheres and organs fill less than this, the body of a phantom more
    rank = round(_SURELY_BODY_ML / (math.prod(spacing) / 1000.0))
    if rank >= search.size:
        raise InvalidInputError("the image is smaller than a phantom")
    level = float(np.partition(search.ravel(), -rank)[-rank])
    for _ in range(6):
        above = search > 0.5 * level
        if level <= 0.0 or not above.any():
            raise InvalidInputError("the image is empty")
        level = float(np.median(search[above]))
    labels, n = ndimage.label(above)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    body = labels == 1 + int(np.argmax(sizes[1:]))
    if body.sum() * math.prod(spacing) / 1000.0 < _LEAST_BODY_ML:
        raise InvalidInputError("nothing in the image is as large as a phantom")
    filled = np.stack([ndimage.binary_fill_holes(part) for part in body])
    return filled, level, search


def depth_mm(body: Mask, spacing: tuple[float, float, float]) -> FloatArray:
    """Distance of each voxel of a body from its edge, mm; the edge of the image is none."""
    padded = np.pad(body, 1, mode="edge")
    distance = ndimage.distance_transform_edt(padded, sampling=spacing)
    return np.asarray(distance[1:-1, 1:-1, 1:-1], dtype=np.float64)


def positions_mm(
    shape: tuple[int, ...], spacing: tuple[float, float, float]
) -> tuple[FloatArray, ...]:
    """Index times spacing along z, y, x, to be broadcast together."""
    axes = [np.arange(n, dtype=np.float64) * s for n, s in zip(shape, spacing, strict=True)]
    return tuple(np.meshgrid(*axes, indexing="ij", sparse=True))
