"""The curves of a dynamic series as a picture, from the tables of a lake."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

import lake
from flows.named_series import find_series, title_of
from schemas.errors import InvalidInputError, KineticsRefusedError, NotFoundInLakeError
from schemas.geometry import FloatArray
from schemas.kinetics import KineticProfile
from tasks.kinetics.frames import FrameTimes, frame_weights
from tasks.kinetics.input_function import InputFunction
from tasks.kinetics.models import Supply, fit_curve
from tasks.pictures.kinetic_plots import RoiPlot, kinetics_png, told

_ANALYSES: Final = """
SELECT a.*, s.half_life_s FROM kinetic_analyses a JOIN series s USING (series_instance_uid)
WHERE a.series_instance_uid = $uid AND ($profile::VARCHAR IS NULL OR a.profile_id = $profile)
ORDER BY a.profile_id
"""
_INPUT: Final = """
SELECT frame_start_s, frame_duration_s, input_mean, input_integral FROM input_functions
WHERE analysis_id = $analysis ORDER BY frame_number
"""
#: Curves of the ROIs that the analysis fitted, and of its input.
_CURVES: Final = """
SELECT c.roi_label, c.segment_number, c.activity_mean, c.activity_sd,
  EXISTS (SELECT 1 FROM kinetic_parameters p WHERE p.analysis_id = $analysis
    AND p.segmentation_series_uid = c.segmentation_series_uid
    AND p.segment_number = c.segment_number) AS is_fitted
FROM time_activity_curves c
WHERE c.parent_volume_id = $volume AND (is_fitted OR c.roi_label = $source)
ORDER BY c.segmentation_series_uid, c.segment_number, c.frame_number
"""


def curve_picture(lk: lake.Lake, series: str, profile: str | None = None) -> bytes:
    """Draw the curves of a series and what a model was fitted to.

    Parameters
    ----------
    lk : lake.Lake
        Open.
    series : str
        Series UID or its beginning, or the key of a patient with one PET.
    profile : str or None
        ``profile_id`` of the analysis, where there are several.

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    NotFoundInLakeError
        There is no such analysis.
    InvalidInputError
        There are several.
    """
    row = find_series(lk, series)
    analysis = _analysis(lk, str(row["series_instance_uid"]), profile)
    given = np.array(lk.sql(_INPUT, {"analysis": analysis["analysis_id"]}).fetchall(), dtype=float)
    if analysis["analysis_status"] != "done" or not len(given):
        raise NotFoundInLakeError(f"nothing to draw: {analysis['reason_text']}")
    times = FrameTimes(given[:, 0], given[:, 1])
    chosen = KineticProfile(**json.loads(str(analysis["profile_json"])))
    source = InputFunction(given[:, 2], given[:, 3])
    weights = frame_weights(times, chosen.weighting, analysis["half_life_s"])
    supply = Supply(
        times, weights, source if chosen.needs_plasma else None,
        None if chosen.needs_plasma else source.mean,
    )  # fmt: skip
    rois = [_plot(chosen, supply, *curve) for curve in _curves(lk, analysis)]
    about = f"{analysis['profile_id']}; input: {analysis['input_source']}"
    if analysis["input_roi_label"]:
        about += f" ({analysis['input_roi_label']})"
    return kinetics_png(
        times, rois, chosen.model, str(analysis["value_unit"]), title=title_of(row), subtitle=about
    )


def _analysis(lk: lake.Lake, uid: str, profile: str | None) -> dict[str, Any]:
    found: list[dict[str, Any]] = (
        lk.sql(_ANALYSES, {"uid": uid, "profile": profile}).to_arrow_table().to_pylist()
    )
    if not found:
        raise NotFoundInLakeError(f"no kinetic analysis of series {uid}; run tracerlake kinetics")
    if len(found) > 1:
        names = ", ".join(str(a["profile_id"]) for a in found)
        raise InvalidInputError(f"series {uid} has several analyses: {names}; name one")
    return found[0]


def _curves(
    lk: lake.Lake, analysis: dict[str, Any]
) -> list[tuple[str, FloatArray, FloatArray, bool]]:
    rows = lk.sql(
        _CURVES,
        {
            "analysis": analysis["analysis_id"],
            "volume": analysis["parent_volume_id"],
            "source": analysis["input_roi_label"],
        },
    ).fetchall()
    by_roi: dict[tuple[str, int, bool], list[tuple[float, float]]] = {}
    for label, number, mean, sd, is_fitted in rows:
        by_roi.setdefault((label, number, is_fitted), []).append((mean, sd))
    return [
        (label, np.array(values)[:, 0], np.array(values)[:, 1], is_fitted)
        for (label, _, is_fitted), values in by_roi.items()
    ]


def _plot(
    profile: KineticProfile,
    supply: Supply,
    label: str,
    mean: FloatArray,
    sd: FloatArray,
    is_fitted: bool,
) -> RoiPlot:
    if not is_fitted:
        return RoiPlot(label, mean, sd)
    try:
        fit = fit_curve(profile, mean, supply)
    except KineticsRefusedError:
        return RoiPlot(label, mean, sd)
    return RoiPlot(label, mean, sd, fit, told(fit))
