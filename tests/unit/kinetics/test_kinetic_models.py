"""Models fitted to exact curves return the truth, within tolerances that follow from the models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from schemas.errors import KineticsRefusedError
from schemas.geometry import FloatArray
from schemas.kinetics import KINETIC_PROFILES, KineticProfile
from tasks.kinetics.compartments import FDG_FRAMES, TwoTissue, feng_input, frames_of
from tasks.kinetics.fits import weighted_fit
from tasks.kinetics.frames import FrameTimes, frame_weights
from tasks.kinetics.input_function import InputFunction, input_of_curve
from tasks.kinetics.models import Supply, fit_curve

PLASMA = feng_input()
HOUR = frames_of(FDG_FRAMES)
#: 90 min, for reversible tracers.
LONG = frames_of(((12, 10.0), (8, 15.0), (6, 30.0), (3, 60.0), (16, 300.0)))
PATLAK = KINETIC_PROFILES["patlak/1"]
TUMOUR = TwoTissue(0.1, 0.15, 0.05, 0.0, 0.05)


def supply(times: FrameTimes, reference: TwoTissue | None = None) -> Supply:
    """Input as images give it, from means over frames."""
    plasma = input_of_curve(times, PLASMA.frame_means(times))
    curve = None if reference is None else reference.curve(PLASMA).frame_means(times)
    return Supply(times, frame_weights(times, "duration", None), plasma, curve)


def curve_of(model: TwoTissue, times: FrameTimes) -> FloatArray:
    return model.curve(PLASMA).frame_means(times)


def test_patlak_by_hand() -> None:
    # plasma 1 throughout: tissue 0.3 + 0.02 per min
    times = frames_of(((6, 600.0),))
    plasma = InputFunction(np.ones(6), times.mid_s)
    fit = fit_curve(PATLAK, 0.3 + 0.02 * times.mid_s / 60, Supply(times, np.ones(6), plasma))
    assert fit.value("ki") == pytest.approx(0.02)
    assert fit.value("intercept") == pytest.approx(0.3)
    assert (fit.t_star_min, fit.used, fit.in_fit.sum()) == (20.0, slice(2, 6), 4)
    assert fit.largest_deviation == pytest.approx(0, abs=1e-9)
    assert fit.r_squared == pytest.approx(1)


def test_the_error_of_patlak_is_what_the_reversible_tracer_leaves() -> None:
    # C = Ki int(P) + R with R the exactly known reversible part; the plot's slope is Ki plus the
    # slope of R / P over the same points, which is all that Patlak's assumption leaves out
    data = supply(HOUR)
    assert data.plasma is not None
    ki = (1 - TUMOUR.blood_fraction) * TUMOUR.ki
    curve = curve_of(TUMOUR, HOUR)
    fit = fit_curve(PATLAK, curve, data)
    exact_integral = PLASMA.integral().frame_means(HOUR) * 60
    left = (curve - ki * exact_integral / 60) / data.plasma.mean
    x = (data.plasma.integral / data.plasma.mean)[fit.used]
    design = np.stack([x, np.ones_like(x)], axis=1)
    slope = weighted_fit(design, left[fit.used], data.weights[fit.used]).coefficients[0] * 60
    assert fit.value("ki") == pytest.approx(ki + slope, rel=5e-5)
    assert -0.02 < slope / ki < -0.01  # and for this tumour that is 1.7 %


def test_patlak_late_enough_returns_the_net_rate() -> None:
    times = frames_of((*FDG_FRAMES, (12, 600.0)))
    profile = replace(PATLAK, t_star_min=90.0)
    fit = fit_curve(profile, curve_of(TUMOUR, times), supply(times))
    assert fit.value("ki") == pytest.approx(0.95 * TUMOUR.ki, rel=5e-4)


@pytest.mark.parametrize("name", ["logan/1", "ma1/1"])
def test_one_tissue_is_exact_for_logan_and_ma1(name: str) -> None:
    # the equations hold at all times; what is left is the integration of frames
    model = TwoTissue(0.1, 0.15)
    fit = fit_curve(KINETIC_PROFILES[name], curve_of(model, LONG), supply(LONG))
    assert fit.value("vt") == pytest.approx(model.vt, rel=2e-6)


@pytest.mark.parametrize("name", ["logan/1", "ma1/1"])
def test_two_tissues_come_close_as_their_slow_exponential_fades(name: str) -> None:
    model = TwoTissue(0.3, 0.3, 0.08, 0.06)
    near = fit_curve(KINETIC_PROFILES[name], curve_of(model, LONG), supply(LONG)).value("vt")
    later = replace(KINETIC_PROFILES[name], t_star_min=90.0)
    times = frames_of(((12, 10.0), (8, 15.0), (6, 30.0), (3, 60.0), (34, 300.0)))
    far = fit_curve(later, curve_of(model, times), supply(times)).value("vt")
    assert near == pytest.approx(model.vt, rel=0.01)
    assert far == pytest.approx(model.vt, rel=5e-4)
    assert abs(far - model.vt) < abs(near - model.vt)


@pytest.mark.parametrize("bp", [0.5, 2.0, 4.0])
def test_srtm_returns_its_three_parameters(bp: float) -> None:
    # one-tissue curves obey SRTM exactly
    reference, r1 = TwoTissue(0.1, 0.1), 1.2
    target = TwoTissue(0.1 * r1, 0.1 * r1 / (1 + bp))
    fit = fit_curve(KINETIC_PROFILES["srtm/1"], curve_of(target, LONG), supply(LONG, reference))
    assert fit.value("r1") == pytest.approx(r1, rel=3e-4)
    assert fit.value("k2") == pytest.approx(0.1 * r1, rel=2e-4)
    assert fit.value("bpnd") == pytest.approx(bp, rel=5e-5)


@pytest.mark.parametrize("bp", [0.5, 2.0, 4.0])
def test_reference_logan_with_k2_is_exact_and_without_is_low(bp: float) -> None:
    reference = TwoTissue(0.1, 0.1)
    curve = curve_of(TwoTissue(0.12, 0.12 / (1 + bp)), LONG)
    plain = KINETIC_PROFILES["logan-reference/1"]
    exact = replace(plain, k2_reference_per_min=0.1)
    data = supply(LONG, reference)
    assert fit_curve(exact, curve, data).value("dvr") == pytest.approx(1 + bp, rel=1e-5)
    assert 1 + bp > fit_curve(plain, curve, data).value("dvr") > 0.9 * (1 + bp)


def test_the_late_ratio_by_hand() -> None:
    times = frames_of(((3, 1800.0),))
    data = Supply(times, np.ones(3), reference=np.array([5.0, 2.0, 2.0]))
    profile = KineticProfile("r/1", "ratio", t_star_min=30.0, minimum_frames=2)
    fit = fit_curve(profile, np.array([1.0, 5.0, 7.0]), data)
    assert fit.value("ratio") == pytest.approx(3.0)
    assert fit.estimates[0].standard_error is None


def test_standard_errors_are_those_of_repeated_noise() -> None:
    rng = np.random.default_rng(3)
    data, curve = supply(HOUR), curve_of(TUMOUR, HOUR)
    sigma = 0.02 * curve.max() / np.sqrt(HOUR.duration_s / 300)
    fits = [fit_curve(PATLAK, curve + rng.normal(size=HOUR.n) * sigma, data) for _ in range(400)]
    spread = np.std([f.value("ki") for f in fits])
    stated = [f.estimates[0].standard_error for f in fits]
    assert np.sqrt(np.mean(np.square(np.array(stated, float)))) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("name", ["srtm/1", "ma1/1"])
def test_standard_errors_of_the_other_models(name: str) -> None:
    rng = np.random.default_rng(4)
    data, curve = supply(LONG, TwoTissue(0.1, 0.1)), curve_of(TwoTissue(0.12, 0.04), LONG)
    sigma = 0.002 * curve.max() / np.sqrt(LONG.duration_s / 300)
    profile = KINETIC_PROFILES[name]
    fits = [fit_curve(profile, curve + rng.normal(size=LONG.n) * sigma, data) for _ in range(40)]
    last = [f.estimates[-1] for f in fits]
    spread = np.std([e.value for e in last])
    stated = np.array([e.standard_error for e in last], dtype=np.float64)
    # MA1's regressors hold the curve's own noise, which its errors do not know of
    tolerance = 0.3 if name == "srtm/1" else 0.6
    assert np.median(stated) == pytest.approx(spread, rel=tolerance)


def test_a_start_is_searched_by_the_largest_deviation() -> None:
    data, curve = supply(HOUR), curve_of(TUMOUR, HOUR)
    loose = fit_curve(KINETIC_PROFILES["patlak-auto/1"], curve, data)
    strict = fit_curve(replace(KINETIC_PROFILES["patlak-auto/1"], max_deviation=0.01), curve, data)
    assert loose.largest_deviation <= 0.1
    assert strict.largest_deviation <= 0.01
    assert 0 < loose.t_star_min < strict.t_star_min < 30
    before = fit_curve(replace(PATLAK, t_star_min=loose.t_star_min - 0.5), curve, data)
    assert before.largest_deviation > 0.1


@pytest.mark.parametrize(
    ("profile", "curve", "reason"),
    [
        (replace(PATLAK, t_star_min=50.0), None, "few_frames"),
        (PATLAK, np.full(HOUR.n, np.nan), "not_finite"),
        (KINETIC_PROFILES["logan/1"], np.zeros(HOUR.n), "not_finite"),
        (replace(KINETIC_PROFILES["patlak-auto/1"], max_deviation=1e-9), None, "no_linear_part"),
        (KINETIC_PROFILES["ma1/1"], np.linspace(0, 1, HOUR.n) ** 4, "no_solution"),
    ],
)
def test_what_cannot_be_fitted_is_refused_by_name(
    profile: KineticProfile, curve: FloatArray | None, reason: str
) -> None:
    with pytest.raises(KineticsRefusedError) as refused:
        fit_curve(profile, curve_of(TUMOUR, HOUR) if curve is None else curve, supply(HOUR))
    assert refused.value.reason_code == f"kinetics.{reason}"


def test_a_model_without_its_supply_is_a_fault() -> None:
    with pytest.raises(ValueError, match="needs a reference curve"):
        fit_curve(KINETIC_PROFILES["srtm/1"], curve_of(TUMOUR, HOUR), supply(HOUR))
    with pytest.raises(ValueError, match="needs an input function"):
        fit_curve(PATLAK, curve_of(TUMOUR, HOUR), Supply(HOUR, np.ones(HOUR.n)))
