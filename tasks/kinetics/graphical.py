"""Graphical models of one curve: Patlak, Logan with plasma or reference tissue, and ratio.

All equations are averaged over frames (`tasks.kinetics.integrals.integral_operator`), so that means
over frames obey them exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.errors import KineticsRefusedError
from schemas.geometry import FloatArray
from schemas.kinetics import Parameter
from tasks.kinetics.fits import CurveFit, Estimate, fit_quality, weighted_fit
from tasks.kinetics.frames import FrameTimes
from tasks.kinetics.input_function import InputFunction
from tasks.kinetics.integrals import integral_operator


@dataclass(frozen=True, eq=False)
class Plot:
    """Points of a graphical model; NaN where a frame has none."""

    x: FloatArray
    y: FloatArray


def patlak_plot(curve: FloatArray, plasma: InputFunction) -> Plot:
    """Tissue over plasma against the integral of plasma over plasma (s).

    References
    ----------
    Patlak, Blasberg, Fenstermacher, J Cereb Blood Flow Metab 3 (1983) 1, equation 13.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return Plot(
            np.where(plasma.mean > 0, plasma.integral / plasma.mean, np.nan),
            np.where(plasma.mean > 0, curve / plasma.mean, np.nan),
        )


def logan_plot(curve: FloatArray, plasma: InputFunction, times: FrameTimes) -> Plot:
    """Integral of tissue over tissue (s) against the integral of plasma over tissue (s).

    References
    ----------
    Logan et al., J Cereb Blood Flow Metab 10 (1990) 740, equation 7.
    """
    own = integral_operator(times) @ curve
    with np.errstate(divide="ignore", invalid="ignore"):
        return Plot(
            np.where(curve > 0, plasma.integral / curve, np.nan),
            np.where(curve > 0, own / curve, np.nan),
        )


def logan_reference_plot(
    curve: FloatArray, reference: FloatArray, times: FrameTimes, k2_per_min: float | None
) -> Plot:
    """As `logan_plot`, with the integral of the reference tissue plus reference / k2' for plasma.

    References
    ----------
    Logan et al., J Cereb Blood Flow Metab 16 (1996) 834, equations 6 and 7.
    """
    return logan_plot(curve, reference_input(reference, times, k2_per_min), times)


def reference_input(
    reference: FloatArray, times: FrameTimes, k2_per_min: float | None
) -> InputFunction:
    """Return what stands for plasma in the reference models: only its integral is used."""
    integral = integral_operator(times) @ reference
    if k2_per_min is not None:
        integral = integral + reference * (60.0 / k2_per_min)
    return InputFunction(reference, integral)


def fit_line(
    plot: Plot,
    times: FrameTimes,
    weights: FloatArray,
    parameters: tuple[Parameter, ...],
    slope_per: float,
    used: slice,
) -> CurveFit:
    """Fit the straight part of a plot.

    Parameters
    ----------
    plot : Plot
        Points of all frames.
    times : FrameTimes
        Frames.
    weights : ndarray, (t,), float64
        Of the frames.
    parameters : tuple of Parameter
        Slope, then perhaps the intercept.
    slope_per : float
        Factor on the slope: 60 for rates per s that become rates per min.
    used : slice
        Frames of the straight part.

    Raises
    ------
    KineticsRefusedError
        ``kinetics.not_finite``, ``kinetics.no_solution``.
    """
    x, y, w = plot.x[used], plot.y[used], weights[used]
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise KineticsRefusedError(
            "kinetics.not_finite", "a frame of the linear part has no positive activity"
        )
    found = weighted_fit(np.stack([x, np.ones_like(x)], axis=1), y, w)
    r_squared, deviation = fit_quality(y, found.fitted, w)
    shown = np.isfinite(plot.x) & np.isfinite(plot.y)
    in_fit = np.zeros(times.n, dtype=np.bool_)
    in_fit[used] = True
    line = found.coefficients[0] * plot.x + found.coefficients[1]
    return CurveFit(
        _estimates(parameters, slope_per, found.coefficients, found.covariance),
        used,
        float(times.start_s[used.start]) / 60.0,
        plot.x[shown] / 60.0,
        plot.y[shown] * slope_per / 60.0,  # seconds of the Logan plot to minutes
        line[shown] * slope_per / 60.0,
        in_fit[shown],
        r_squared,
        deviation,
    )


def _estimates(
    parameters: tuple[Parameter, ...],
    slope_per: float,
    coefficients: FloatArray,
    covariance: FloatArray,
) -> tuple[Estimate, ...]:
    factors = (slope_per, 1.0)
    return tuple(
        Estimate(
            p.name,
            float(coefficients[i]) * factors[i],
            p.unit,
            float(np.sqrt(covariance[i, i])) * factors[i],
        )
        for i, p in enumerate(parameters)
    )
