"""Curves of a dynamic series, and the plots that kinetic parameters were read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from schemas.geometry import FloatArray
from tasks.kinetics.fits import CurveFit
from tasks.kinetics.frames import FrameTimes
from tasks.pictures.canvas import (
    FAINT,
    INK,
    PALETTE,
    axes_at,
    new_figure,
    png_bytes,
    quantity_label,
    quiet_axes,
)

_WIDTH_PX: Final = 1000
_HEIGHT_PX: Final = 440
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX, _GAP_PX = 70, 20, 76, 56, 80

_NAMES: Final = {"ki": "Ki", "vt": "VT", "bpnd": "BP", "dvr": "DVR"}

#: Axes of what a model was fitted to.
_LABELS: Final = {
    "patlak": ("integral of input / input (min)", "tissue / input (ml/cm³)", "Patlak plot"),
    "logan": (
        "integral of input / tissue (min)", "integral of tissue / tissue (min)", "Logan plot",
    ),
    "logan_reference": (
        "integral of reference / tissue (min)", "integral of tissue / tissue (min)",
        "Logan plot, reference tissue",
    ),
    "ma1": ("time after injection (min)", "", "MA1: curve and fit"),
    "srtm": ("time after injection (min)", "", "SRTM: curve and fit"),
    "ratio": ("time after injection (min)", "", "Curve and reference times ratio"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class RoiPlot:
    """One ROI.

    Parameters
    ----------
    label : str
        Its name.
    mean, sd : ndarray, (t,), float64
        Activity over its voxels.
    fit : CurveFit or None
        What its parameters were read from; None where there is no fit, as for the input.
    result : str
        Its parameters, for the legend.
    """

    label: str
    mean: FloatArray
    sd: FloatArray
    fit: CurveFit | None = None
    result: str = ""


def kinetics_png(
    times: FrameTimes,
    rois: Sequence[RoiPlot],
    model: str,
    value_unit: str,
    *,
    title: str = "",
    subtitle: str = "",
) -> bytes:
    """Draw the curves of ROIs (left) and what the model was fitted to (right).

    Left, bands are one standard deviation over the voxels. Right, points of the fit are filled,
    those before it are open, and the line is the model.

    Parameters
    ----------
    times : FrameTimes
        Frames, after the injection.
    rois : sequence of RoiPlot
        In the order of their colours.
    model : str
        One of `schemas.kinetics.MODELS`.
    value_unit : str
        Of the activities.
    title, subtitle : str
        Without anything that identifies a person.

    Returns
    -------
    bytes
        PNG, 1000 x 440 pixels.
    """
    figure = new_figure(_WIDTH_PX, _HEIGHT_PX)
    width = (_WIDTH_PX - _LEFT_PX - _RIGHT_PX - _GAP_PX) / 2
    height = _HEIGHT_PX - _TOP_PX - _BOTTOM_PX
    curves = axes_at(figure, _LEFT_PX, _BOTTOM_PX, width, height)
    _draw_curves(curves, times, rois)
    curves.set_ylabel(quantity_label(value_unit), fontsize=11, color=INK)
    plot = axes_at(figure, _LEFT_PX + width + _GAP_PX, _BOTTOM_PX, width, height)
    _draw_fits(plot, rois, model, value_unit)
    figure.text(0.5, 1 - 8 / _HEIGHT_PX, title, ha="center", va="top", fontsize=12, color=INK)
    figure.text(0.5, 1 - 30 / _HEIGHT_PX, subtitle, ha="center", va="top", fontsize=9, color=FAINT)
    return png_bytes(figure)


def _draw_curves(axes: Axes, times: FrameTimes, rois: Sequence[RoiPlot]) -> None:
    minutes = times.mid_s / 60.0
    for roi, colour in zip(rois, _colours(len(rois)), strict=True):
        is_input = roi.fit is None
        axes.fill_between(minutes, roi.mean - roi.sd, roi.mean + roi.sd, color=colour, alpha=0.2,
                          linewidth=0)  # fmt: skip
        axes.plot(
            minutes, roi.mean, color=colour, linewidth=1.6, linestyle="--" if is_input else "-",
            marker="o", markersize=3, label=roi.label,
        )  # fmt: skip
    axes.set_xlim(min(0.0, float(minutes[0])), float(times.end_s[-1]) / 60.0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("time after injection (min)", fontsize=11, color=INK)
    axes.set_title("Time-activity curves", fontsize=11, color=INK, loc="left")
    axes.legend(fontsize=8, frameon=False, loc="best")
    quiet_axes(axes)


def _draw_fits(axes: Axes, rois: Sequence[RoiPlot], model: str, value_unit: str) -> None:
    x_label, y_label, title = _LABELS[model]
    axes.set_xlabel(x_label, fontsize=11, color=INK)
    axes.set_ylabel(y_label or quantity_label(value_unit), fontsize=11, color=INK)
    axes.set_title(title, fontsize=11, color=INK, loc="left")
    quiet_axes(axes)
    shown = [
        (r, r.fit, c) for r, c in zip(rois, _colours(len(rois)), strict=True) if r.fit is not None
    ]
    if not shown:
        axes.text(0.5, 0.5, "no fit", transform=axes.transAxes, ha="center", color=FAINT)
        return
    highest_x, highest_y, lowest_y = 0.0, 0.0, 0.0
    for roi, fit, colour in shown:
        inside = fit.in_fit
        axes.plot(fit.x[~inside], fit.y[~inside], "o", markersize=4, markerfacecolor="white",
                  markeredgecolor=colour, alpha=0.7)  # fmt: skip
        axes.plot(fit.x[inside], fit.y[inside], "o", markersize=5, color=colour)
        axes.plot(fit.x[inside], fit.line[inside], color=colour, linewidth=1.6,
                  label=f"{roi.label}: {roi.result}")  # fmt: skip
        highest_x = max(highest_x, float(fit.x[inside].max()))
        highest_y = max(highest_y, float(fit.y[inside].max()))
        lowest_y = min(lowest_y, float(fit.y[inside].min()))
    # early points of a plot lie far away where there is little tissue; they are not the subject
    axes.set_xlim(0.0, 1.04 * highest_x)
    axes.set_ylim(1.1 * lowest_y, 1.25 * highest_y)
    axes.legend(fontsize=9, frameon=False, loc="upper left")


def _colours(n: int) -> list[str]:
    return [PALETTE[i % len(PALETTE)] for i in range(n)]


def told(fit: CurveFit) -> str:
    """Parameter that the model is used for, with its standard error.

    Parameters
    ----------
    fit : CurveFit
        Its last estimate is meant for SRTM (BPND), otherwise the first one.
    """
    named = {estimate.name: estimate for estimate in fit.estimates}
    chosen = named.get("bpnd", fit.estimates[0])
    error = chosen.standard_error
    spread = "" if error is None or not np.isfinite(error) else f" ± {error:.1g}"
    unit = "" if chosen.unit == "1" else f" {chosen.unit}"
    return f"{_NAMES.get(chosen.name, chosen.name)} {chosen.value:.3g}{spread}{unit}"
