"""A kinetic model fitted to the curve of an ROI."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.optimize import minimize_scalar

from schemas.errors import KineticsRefusedError
from schemas.geometry import FloatArray
from schemas.kinetics import KineticProfile
from tasks.kinetics.basis import basis_set, theta_grid
from tasks.kinetics.fits import (
    CurveFit,
    Estimate,
    fit_from_t_star,
    fit_quality,
    frames_in_range,
    residual_variance,
    unit_covariance,
    weighted_fit,
)
from tasks.kinetics.frames import FrameTimes
from tasks.kinetics.graphical import (
    fit_line,
    logan_plot,
    logan_reference_plot,
    patlak_plot,
    reference_input,
)
from tasks.kinetics.input_function import InputFunction
from tasks.kinetics.integrals import convolve_exponential, integral_operator


@dataclass(frozen=True, eq=False)
class Supply:
    """Where the tracer of a tissue comes from, and how frames count.

    Parameters
    ----------
    times : FrameTimes
        Frames.
    weights : ndarray, (t,), float64
        Of the frames in a fit.
    plasma : InputFunction or None
        For Patlak, Logan and MA1.
    reference : ndarray, (t,), float64, or None
        Curve of the reference tissue, for the other models.
    """

    times: FrameTimes
    weights: FloatArray
    plasma: InputFunction | None = None
    reference: FloatArray | None = None

    def input_for(self, profile: KineticProfile) -> InputFunction:
        """Plasma, or what stands for it in the reference models.

        Raises
        ------
        ValueError
            If the model's supply is not there.
        """
        if profile.needs_plasma:
            if self.plasma is None:
                raise ValueError(f"{profile.model} needs an input function")
            return self.plasma
        if self.reference is None:
            raise ValueError(f"{profile.model} needs a reference curve")
        return reference_input(self.reference, self.times, profile.k2_reference_per_min)


def fit_curve(profile: KineticProfile, curve: FloatArray, supply: Supply) -> CurveFit:
    """Fit the profile's model to one curve.

    Parameters
    ----------
    profile : KineticProfile
        Model and its options.
    curve : ndarray, (t,), float64
        Means over frames, in the unit of the supply.
    supply : Supply
        Input function or reference curve.

    Raises
    ------
    KineticsRefusedError
        With one of `schemas.kinetics.KINETIC_REFUSALS`.
    """
    curve = np.asarray(curve, dtype=np.float64)
    if not np.isfinite(curve).all():
        raise KineticsRefusedError("kinetics.not_finite", "the curve is not finite")
    if profile.model == "srtm":
        return _fit_srtm(profile, curve, supply)
    if profile.model == "ratio":
        return _fit_ratio(profile, curve, supply)
    if profile.model == "ma1":
        return fit_from_t_star(supply.times, profile, partial(_fit_ma1, profile, curve, supply))
    times, source = supply.times, supply.input_for(profile)
    if profile.model == "patlak":
        plot, slope_per = patlak_plot(curve, source), 60.0
    elif profile.model == "logan":
        plot, slope_per = logan_plot(curve, source, times), 1.0
    else:
        plot = logan_reference_plot(curve, source.mean, times, profile.k2_reference_per_min)
        slope_per = 1.0
    fit = partial(fit_line, plot, times, supply.weights, profile.parameters, slope_per)
    return fit_from_t_star(times, profile, fit)


def _fit_ma1(profile: KineticProfile, curve: FloatArray, supply: Supply, used: slice) -> CurveFit:
    """Multilinear analysis: ``C = b1 int(plasma) + b2 int(C)``, VT = -b1 / b2.

    References
    ----------
    Ichise, Toyama, Innis, Carson, J Cereb Blood Flow Metab 22 (2002) 1271, equation 6.
    """
    times = supply.times
    design = np.stack(
        [supply.input_for(profile).integral, integral_operator(times) @ curve], axis=1
    )
    weights = supply.weights[used]
    found = weighted_fit(design[used], curve[used], weights)
    b1, b2 = found.coefficients
    if b2 >= 0:
        raise KineticsRefusedError("kinetics.no_solution", "the curve does not follow MA1")
    jacobian = np.array([-1.0 / b2, b1 / b2**2])
    error = float(np.sqrt(jacobian @ found.covariance @ jacobian))
    (vt,) = profile.parameters
    estimate = Estimate(vt.name, float(-b1 / b2), vt.unit, error)
    return _over_time((estimate,), curve, design @ found.coefficients, times, used, supply.weights)


def _fit_ratio(profile: KineticProfile, curve: FloatArray, supply: Supply) -> CurveFit:
    times, reference = supply.times, supply.input_for(profile).mean
    used = frames_in_range(times, profile, profile.t_star_min)
    duration = times.duration_s[used]
    below = float(duration @ reference[used])
    if below <= 0:
        raise KineticsRefusedError("kinetics.no_solution", "the reference curve is not positive")
    value = float(duration @ curve[used]) / below
    (ratio,) = profile.parameters
    estimate = Estimate(ratio.name, value, ratio.unit, None)
    found = _over_time((estimate,), curve, value * reference, times, used, supply.weights)
    # a mean is no fit of the curve's course
    return replace(found, r_squared=float("nan"))


def _fit_srtm(profile: KineticProfile, curve: FloatArray, supply: Supply) -> CurveFit:
    times, reference = supply.times, supply.input_for(profile).mean
    used = frames_in_range(times, profile, profile.t_star_min)
    theta = _best_theta(profile, curve, supply, reference, used)
    found = basis_set(times, reference, supply.weights, used, np.array([theta]))
    r1, k2, bp = found.parameters(curve[:, None], np.zeros(1, dtype=np.int64))[:, 0]
    if not np.isfinite([r1, k2, bp]).all():
        raise KineticsRefusedError("kinetics.no_solution", "the curve does not follow SRTM")
    point = np.array([r1, k2, theta])
    model = partial(_srtm_curve, times, reference)
    errors = _srtm_errors(model, point, curve, supply.weights, used)
    estimates = tuple(
        Estimate(p.name, float(v), p.unit, float(e))
        for p, v, e in zip(profile.parameters, (r1, k2, bp), errors, strict=True)
    )
    fit = _over_time(estimates, curve, model(point), times, used, supply.weights)
    # relative deviations mean nothing where the curve begins, near 0
    return replace(fit, largest_deviation=float("nan"))


def _best_theta(
    profile: KineticProfile,
    curve: FloatArray,
    supply: Supply,
    reference: FloatArray,
    used: slice,
) -> float:
    """Rate constant with the least residual: the best of the grid, then between its neighbours."""
    grid = theta_grid(profile)
    times, weights = supply.times, supply.weights
    chosen, _ = basis_set(times, reference, weights, used, grid).best(curve[:, None])
    i = int(chosen[0])
    ends = np.log(grid[[max(i - 1, 0), min(i + 1, len(grid) - 1)]])

    def lost(log_theta: float) -> float:
        one = basis_set(times, reference, weights, used, np.exp([log_theta]))
        return -float(one.best(curve[:, None])[1][0])

    found = minimize_scalar(lost, bounds=tuple(ends), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))


def _srtm_curve(times: FrameTimes, reference: FloatArray, point: FloatArray) -> FloatArray:
    r1, k2, theta = point
    response = convolve_exponential(times, reference, np.array([theta / 60.0]))[0] / 60.0
    return np.asarray(r1 * reference + (k2 - r1 * theta) * response)


def _srtm_errors(
    model: partial[FloatArray],
    point: FloatArray,
    curve: FloatArray,
    weights: FloatArray,
    used: slice,
) -> FloatArray:
    """Propagate the residuals to R1, k2 and BPND by the derivatives of the model."""
    step = np.maximum(np.abs(point), 1e-3) * 1e-5
    design = np.stack(
        [
            (model(point + d) - model(point - d)) / (2 * s)
            for d, s in zip(np.diag(step), step, strict=True)
        ],
        axis=1,
    )[used]
    variance = residual_variance(curve[used], model(point)[used], weights[used], len(point))
    try:
        covariance = unit_covariance(design, weights[used]) * variance
    except KineticsRefusedError:
        return np.full(3, np.nan)
    _, k2, theta = point
    jacobian = np.array([[1, 0, 0], [0, 1, 0], [0, 1 / theta, -k2 / theta**2]])
    return np.asarray(np.sqrt(np.diag(jacobian @ covariance @ jacobian.T)))


def _over_time(
    estimates: tuple[Estimate, ...],
    curve: FloatArray,
    line: FloatArray,
    times: FrameTimes,
    used: slice,
    weights: FloatArray,
) -> CurveFit:
    """Make a fit whose points are activity over time."""
    r_squared, deviation = fit_quality(curve[used], line[used], weights[used])
    in_fit = np.zeros(times.n, dtype=np.bool_)
    in_fit[used] = True
    return CurveFit(
        estimates, used, float(times.start_s[used.start]) / 60.0,
        times.mid_s / 60.0, curve, line, in_fit, r_squared, deviation,
    )  # fmt: skip
