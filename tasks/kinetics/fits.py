"""Weighted linear fits, and what a fit of a kinetic model tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import KineticsRefusedError
from schemas.geometry import FloatArray
from schemas.kinetics import KineticProfile
from tasks.kinetics.frames import FrameTimes


@dataclass(frozen=True, slots=True)
class Estimate:
    """One parameter of a fit.

    Parameters
    ----------
    standard_error : float or None
        Of the residuals of the fit, for independent errors; None where there is no fit.
    """

    name: str
    value: float
    unit: str
    standard_error: float | None


@dataclass(frozen=True, eq=False)
class CurveFit:
    """A model fitted to one curve.

    Parameters
    ----------
    estimates : tuple of Estimate
        Parameters of the model.
    used : slice
        Frames that were used.
    t_star_min : float
        Start of the first of them, after the injection.
    x, y : ndarray, (n,), float64
        Points that were fitted: of the plot for graphical models, else time (min) and activity.
        All frames that have such a point, also those before `t_star_min`.
    line : ndarray, (n,), float64
        The model at the points.
    in_fit : ndarray, (n,), bool
        Points that belong to the fit.
    r_squared : float
        Weighted share of the variance of y that the model explains, over the points of the fit; NaN
        for a ratio.
    largest_deviation : float
        Largest relative deviation of a point of the fit from the model; NaN for SRTM, whose points
        begin at 0.
    """

    estimates: tuple[Estimate, ...]
    used: slice
    t_star_min: float
    x: FloatArray
    y: FloatArray
    line: FloatArray
    in_fit: NDArray[np.bool_]
    r_squared: float
    largest_deviation: float

    def value(self, name: str) -> float:
        """Value of a parameter."""
        return next(e.value for e in self.estimates if e.name == name)


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Weighted least squares.

    Parameters
    ----------
    coefficients : ndarray, (p,), float64
    covariance : ndarray, (p, p), float64
        From the residuals; infinite without degrees of freedom.
    fitted : ndarray, (n,), float64
    """

    coefficients: FloatArray
    covariance: FloatArray
    fitted: FloatArray


def weighted_fit(design: FloatArray, y: FloatArray, weights: FloatArray) -> LinearFit:
    """Weighted least squares with standard errors.

    Parameters
    ----------
    design : ndarray, (n, p), float64
    y, weights : ndarray, (n,), float64

    Raises
    ------
    KineticsRefusedError
        ``kinetics.no_solution`` for a design whose columns depend on each other.

    Examples
    --------
    A line through three points; the middle one is 0.3 too high:

    >>> design = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> found = weighted_fit(design, np.array([1.0, 3.3, 5.0]), np.ones(3))
    >>> found.coefficients.round(6).tolist()
    [2.0, 1.1]
    >>> round(float(found.covariance[0, 0]), 6)
    0.03
    """
    inverse, q, root = _solver(design, weights)
    coefficients = inverse @ (q.T @ (y * root))
    fitted = design @ coefficients
    variance = residual_variance(y, fitted, weights, design.shape[1])
    return LinearFit(coefficients, inverse @ inverse.T * variance, fitted)


def residual_variance(y: FloatArray, fitted: FloatArray, weights: FloatArray, p: int) -> float:
    """Weighted sum of squares over the degrees of freedom, `p` of which are taken."""
    freedom = len(y) - p
    return float(weights @ (y - fitted) ** 2) / freedom if freedom > 0 else np.inf


def unit_covariance(design: FloatArray, weights: FloatArray) -> FloatArray:
    """Covariance (p, p) of the coefficients for a residual variance of 1.

    Raises
    ------
    KineticsRefusedError
        As `weighted_fit`.
    """
    inverse, _, _ = _solver(design, weights)
    return np.asarray(inverse @ inverse.T)


def _solver(design: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Inverse of R with the columns' scale, Q, and the roots of the weights."""
    root = np.sqrt(weights)
    a = design * root[:, None]
    scale = np.linalg.norm(a, axis=0)
    if not np.isfinite(scale).all() or (scale == 0).any():
        raise KineticsRefusedError("kinetics.no_solution", "a term of the model vanishes")
    q, r = np.linalg.qr(a / scale)
    if np.abs(np.diag(r)).min() < 1e-10:
        raise KineticsRefusedError("kinetics.no_solution", "terms of the model are alike")
    return np.linalg.inv(r) / scale[:, None], q, root


def fit_quality(y: FloatArray, fitted: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """R squared (weighted) and the largest relative deviation from the fit.

    Examples
    --------
    >>> fit_quality(np.array([1.0, 2.0, 3.3]), np.array([1.0, 2.0, 3.0]), np.ones(3))[1]
    0.1
    """
    centre = float(weights @ y) / float(weights.sum())
    total = float(weights @ (y - centre) ** 2)
    left = float(weights @ (y - fitted) ** 2)
    r_squared = 1.0 - left / total if total > 0 else float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.abs(y - fitted) / np.abs(fitted)
    return r_squared, round(float(np.nanmax(deviation)), 12)


def frames_in_range(times: FrameTimes, profile: KineticProfile, t_star_min: float | None) -> slice:
    """Frames from t* to the end that the profile allows.

    Parameters
    ----------
    times : FrameTimes
        Frames.
    profile : KineticProfile
        Last frame and fewest frames.
    t_star_min : float or None
        First start; None: that of the scan.

    Raises
    ------
    KineticsRefusedError
        ``kinetics.few_frames``.
    """
    # half a second: times of frames are rounded
    from_s = -np.inf if t_star_min is None else 60.0 * t_star_min - 0.5
    to_s = np.inf if profile.t_end_min is None else 60.0 * profile.t_end_min + 0.5
    inside = np.flatnonzero((times.start_s >= from_s) & (times.end_s <= to_s))
    if inside.size < profile.minimum_frames:
        raise KineticsRefusedError(
            "kinetics.few_frames",
            f"expected {profile.minimum_frames} frames from "
            f"{max(from_s, times.start_s[0]) / 60:.1f} min on, got {inside.size}",
        )
    return slice(int(inside[0]), int(inside[-1]) + 1)


def fit_from_t_star(
    times: FrameTimes, profile: KineticProfile, fit: Callable[[slice], CurveFit]
) -> CurveFit:
    """Fit from the profile's t* on, or from the earliest frame that keeps within its deviation.

    Parameters
    ----------
    times : FrameTimes
        Frames.
    profile : KineticProfile
        t*, or the limit of the deviation.
    fit : callable
        Fits some frames.

    Raises
    ------
    KineticsRefusedError
        ``kinetics.few_frames``, ``kinetics.no_linear_part``, and what `fit` raises.

    References
    ----------
    The criterion of the largest deviation is that of common software for kinetic models (10 %).
    """
    if profile.t_star_min is not None:
        return fit(frames_in_range(times, profile, profile.t_star_min))
    every = frames_in_range(times, profile, None)
    first = max(every.start, int(np.argmax(times.mid_s > 0)))
    for start in range(first, every.stop - profile.minimum_frames + 1):
        try:
            found = fit(slice(start, every.stop))
        except KineticsRefusedError:
            continue
        if found.largest_deviation <= profile.max_deviation:
            return found
    raise KineticsRefusedError(
        "kinetics.no_linear_part",
        f"the last {profile.minimum_frames} frames deviate by more than {profile.max_deviation:g}",
    )
