"""Curves and plots of dynamic series as pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

from schemas.kinetics import KINETIC_PROFILES
from tasks.kinetics.fits import CurveFit, Estimate
from tasks.kinetics.frames import frame_weights
from tasks.kinetics.input_function import input_of_curve
from tasks.kinetics.models import Supply, fit_curve
from tasks.pictures.canvas import PALETTE
from tasks.pictures.kinetic_plots import RoiPlot, kinetics_png, told
from tasks.simulate.kinetic_phantom import TISSUES, blood_input, kinetic_times

TIMES = kinetic_times()
CURVES = {t.name: t.curve(blood_input()).frame_means(TIMES) for t in TISSUES}
SUPPLY = Supply(
    TIMES, frame_weights(TIMES, "duration", None), input_of_curve(TIMES, CURVES["Aorta"]),
    CURVES["Cerebellum"],
)  # fmt: skip


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return (imread(io.BytesIO(png))[..., :3] * 255).round().astype(np.uint8)


def coloured(png: bytes, colour: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (pixels(png) == wanted).all(axis=-1)
    return found


@pytest.mark.parametrize("name", ["patlak/1", "logan/1", "srtm/1", "logan-reference/1", "ma1/1"])
def test_curves_left_and_fit_right(name: str) -> None:
    profile = KINETIC_PROFILES[name]
    curve = CURVES["Tumour 1" if name == "patlak/1" else "Striatum"]
    fit = fit_curve(profile, curve, SUPPLY)
    flat = np.zeros_like(curve)
    rois = [RoiPlot("aorta", CURVES["Aorta"], flat), RoiPlot("t", curve, flat, fit, told(fit))]
    png = kinetics_png(TIMES, rois, profile.model, "SUVbw", title="a", subtitle="b")
    assert pixels(png).shape == (440, 1000, 3)
    assert png == kinetics_png(TIMES, rois, profile.model, "SUVbw", title="a", subtitle="b")
    left, right = np.split(coloured(png, PALETTE[0]), [520], axis=1)
    assert left.sum() > 50  # the input has a curve, and no fit
    assert right.sum() == 0
    left, right = np.split(coloured(png, PALETTE[1]), [520], axis=1)
    assert left.sum() > 50
    assert right.sum() > 50


def test_a_line_that_rises_goes_up_in_the_picture() -> None:
    fit = fit_curve(KINETIC_PROFILES["patlak/1"], CURVES["Tumour 2"], SUPPLY)
    plot = RoiPlot("t", CURVES["Tumour 2"], np.zeros(TIMES.n), fit, "")
    png = kinetics_png(TIMES, [plot], "patlak", "SUVbw")
    rows, columns = np.nonzero(coloured(png, PALETTE[0])[130:, 560:])  # below the legend
    assert np.corrcoef(columns, rows)[0, 1] < -0.95


def test_nothing_fitted_is_said() -> None:
    png = kinetics_png(TIMES, [RoiPlot("a", CURVES["Aorta"], np.zeros(TIMES.n))], "logan", "SUVbw")
    assert pixels(png).shape == (440, 1000, 3)


def test_results_in_words() -> None:
    fit = fit_curve(KINETIC_PROFILES["srtm/1"], CURVES["Striatum"], SUPPLY)
    assert told(fit) == "BP 2.03 ± 0.008"
    estimate = Estimate("ki", 0.0234567, "ml/cm3/min", None)
    nothing = np.zeros(1)
    one = CurveFit((estimate,), slice(0, 1), 0.0, nothing, nothing, nothing, nothing > 0, 1.0, 0.0)
    assert told(one) == "Ki 0.0235 ml/cm3/min"
