"""Smoothing and interpolation along one axis, as matrices.

Everything done to an axis is linear, so it is one small matrix; applied with BLAS it is exact and
fast, and smoothing costs nothing on top of interpolation.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import spline_filter1d
from scipy.optimize import brentq
from scipy.special import erf

from schemas.geometry import FloatArray

Indices = NDArray[np.int_]

FWHM_PER_SIGMA: Final = 2.0 * math.sqrt(2.0 * math.log(2.0))


def gaussian_weights(sigma: float) -> FloatArray:
    """Weights of a discrete Gaussian with exactly the variance asked for.

    A Gaussian integrated over each voxel, its width chosen so that the weights have variance
    `sigma` squared: widths add in quadrature at any sigma, where a sampled Gaussian fails below
    0.6 voxels. No weight is negative, so smoothing stays within the range of its input.

    Parameters
    ----------
    sigma : float
        Standard deviation in voxels, >= 0.

    Returns
    -------
    ndarray, (2 r + 1,), float64
        Sum 1.

    Examples
    --------
    >>> w = gaussian_weights(0.3)
    >>> k = np.arange(len(w)) - len(w) // 2
    >>> round(float(w @ k**2), 6)  # 0.3 squared
    0.09
    """
    if sigma < 1e-3:
        return np.ones(1)
    radius = math.ceil(6.0 * sigma + 1.0)
    k = np.arange(-radius, radius + 1)

    def weights(width: float) -> FloatArray:
        edges = np.arange(-radius - 0.5, radius + 1.0) / (width * math.sqrt(2.0))
        integral = np.diff(erf(edges))
        return np.asarray(integral / integral.sum(), dtype=np.float64)

    def excess(width: float) -> float:
        return float(weights(width) @ k**2) - sigma**2

    return weights(float(brentq(excess, 1e-2, sigma + 0.5, xtol=1e-12)))


def smoothing_matrix(n: int, sigma: float) -> FloatArray:
    """Gaussian smoothing of `n` voxels as (n, n) matrix; the edge voxels go on beyond the edge."""
    weights = gaussian_weights(sigma)
    radius = len(weights) // 2
    matrix = np.zeros((n, n))
    rows = np.arange(n)
    for shift, weight in zip(range(-radius, radius + 1), weights, strict=True):
        np.add.at(matrix, (rows, np.clip(rows + shift, 0, n - 1)), weight)
    return matrix


def interpolation_matrix(positions: FloatArray, n: int, order: int) -> FloatArray:
    """Interpolation of `n` voxels at fractional `positions` as (len(positions), n) matrix.

    Parameters
    ----------
    positions : ndarray, float64
        Indices; those beyond the first or last voxel get its value.
    order : {0, 1, 3}
        Nearest, linear, cubic B-spline (interpolating, mirrored at the edges).

    Examples
    --------
    >>> interpolation_matrix(np.array([0.25]), 2, 1)
    array([[0.75, 0.25]])
    """
    p = np.clip(positions, 0.0, n - 1.0)
    near = np.round(p)
    p = np.where(np.abs(p - near) < 1e-9, near, p)  # keeps equal grids exactly equal
    matrix = np.zeros((len(p), n))
    rows = np.arange(len(p))
    if order == 0:
        matrix[rows, np.minimum(np.floor(p + 0.5), n - 1).astype(int)] = 1.0
        return matrix
    low = np.floor(p).astype(int)
    t = p - low
    if order == 1:
        np.add.at(matrix, (rows, low), 1.0 - t)
        np.add.at(matrix, (rows, np.minimum(low + 1, n - 1)), t)
        return matrix
    if order != 3:
        raise ValueError(f"interpolation order: expected 0, 1 or 3, got {order}")
    taps = ((1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)
    for shift, tap in zip((-1, 0, 1, 2), taps, strict=True):
        np.add.at(matrix, (rows, _mirror(low + shift, n)), tap / 6.0)
    if n == 1:
        return matrix
    prefilter = spline_filter1d(np.eye(n), order=3, axis=0, mode="mirror", output=np.float64)
    return np.asarray(matrix @ prefilter, dtype=np.float64)


def _mirror(index: Indices, n: int) -> Indices:
    """Fold indices beyond the ends back, without repeating the end."""
    if n == 1:
        return np.zeros_like(index)
    period = 2 * (n - 1)
    folded = np.mod(index, period)
    return np.asarray(np.minimum(folded, period - folded))


def matching_fwhm(spacing: float, new_spacing: float) -> float:
    """FWHM (mm) of the Gaussian that keeps down-sampling free of aliasing; 0 when up-sampling.

    A voxel is seen as a Gaussian of FWHM equal to its size; the widths add in quadrature.

    Examples
    --------
    >>> matching_fwhm(3.0, 5.0)
    4.0

    References
    ----------
    Cardoso et al., MICCAI 2015, doi:10.1007/978-3-319-24571-3_81.
    """
    return math.sqrt(max(new_spacing**2 - spacing**2, 0.0))
