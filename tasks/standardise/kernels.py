"""Smoothing and interpolation along one axis, as matrices.

Everything done to an axis is linear, so it is one small matrix; applied with BLAS it is exact and
fast, and smoothing costs nothing on top of interpolation.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.ndimage import spline_filter1d
from scipy.optimize import brentq
from scipy.special import erf

from schemas.geometry import FloatArray

Indices = NDArray[np.int_]

FWHM_PER_SIGMA: Final = 2.0 * math.sqrt(2.0 * math.log(2.0))
#: Nearest, linear and B-splines of degree 2 to 5.
ORDERS: Final = range(6)


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
    order : {0, 1, 2, 3, 4, 5}
        Nearest, linear, or interpolating B-spline of that degree, mirrored at the edges.

    Examples
    --------
    >>> interpolation_matrix(np.array([0.25]), 2, 1)
    array([[0.75, 0.25]])
    >>> parabola = np.arange(41.0) ** 2
    >>> np.round(interpolation_matrix(np.array([20.5]), 41, 3) @ parabola, 3)  # 20.5 squared
    array([420.25])

    References
    ----------
    Unser, Splines: a perfect fit for signal and image processing, IEEE SPM 16(6):22 (1999).
    """
    if order not in ORDERS:
        raise ValueError(f"interpolation order: expected 0 to 5, got {order}")
    p = np.clip(positions, 0.0, n - 1.0)
    near = np.round(p)
    p = np.where(np.abs(p - near) < 1e-9, near, p)  # keeps equal grids exactly equal
    matrix = np.zeros((len(p), n))
    rows = np.arange(len(p))
    if order == 0:
        matrix[rows, np.minimum(np.floor(p + 0.5), n - 1).astype(int)] = 1.0
        return matrix
    centre = np.floor(p) if order % 2 else np.floor(p + 0.5)
    for shift in range(-((order - 1) // 2) - (order % 2 == 0), order // 2 + 1 + (order % 2)):
        knot = centre + shift
        np.add.at(matrix, (rows, _mirror(knot.astype(int), n)), _b_spline(p - knot, order))
    if n == 1 or order == 1:
        return matrix
    prefilter = spline_filter1d(np.eye(n), order=order, axis=0, mode="mirror", output=np.float64)  # type: ignore[call-overload]  # stubs know literal orders only
    return np.asarray(matrix @ prefilter, dtype=np.float64)


def _b_spline(x: FloatArray, order: int) -> FloatArray:
    """Evaluate the centred B-spline of degree `order`."""
    knots = np.arange(order + 2) - (order + 1) / 2
    found = BSpline.basis_element(knots, extrapolate=False)(x)
    return np.nan_to_num(np.asarray(found, dtype=np.float64))


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
