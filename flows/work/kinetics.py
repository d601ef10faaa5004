"""Worker side of kinetics: the curves and fits of a dynamic series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.work.features import RoiSource
from flows.work.kinetic_job import Analysed, KineticsJob
from flows.work.kinetic_rows import (
    analysis_row,
    curve_rows,
    finding,
    input_rows,
    map_attributes,
    parameter_rows,
)
from lake.volumes import read_mask
from lake.volumes.blocks import DynamicVolume, block_windows
from schemas.errors import KineticsRefusedError, RejectedObjectError
from schemas.geometry import FloatArray, Geometry
from schemas.kinetics import KINETIC_REFUSALS, KineticProfile
from schemas.records import Row
from tasks.kinetics.frames import FrameTimes, frame_times, frame_weights
from tasks.kinetics.input_function import (
    early_frames,
    hottest_share,
    input_of_curve,
    input_of_samples,
    scan_is_late,
)
from tasks.kinetics.models import Supply, fit_curve
from tasks.kinetics.roi_curves import CurveSums, RoiCurve
from tasks.kinetics.voxelwise import voxel_model
from tasks.segment.contours import rasterise_contours
from tasks.segment.masks import mask_to_grid


@dataclass(frozen=True, eq=False)
class _Roi:
    source: RoiSource
    mask: NDArray[np.bool_]


def analyse(volumes_root: str, job: KineticsJob) -> Analysed:
    """Measure the curves of a series and fit its ROIs; what cannot be done becomes findings."""
    result = Analysed()
    about: Row = {}
    try:
        _analyse(volumes_root, job, result, about)
    except KineticsRefusedError as refused:
        result.model = None
        about |= {
            "analysis_status": "refused",
            "reason_code": refused.reason_code,
            "reason_text": f"{KINETIC_REFUSALS[refused.reason_code]} {refused.detail}",
        }
        result.rows["findings"].append(finding(job, refused.reason_code, refused.detail, "fail"))
    result.rows["kinetic_analyses"].append(analysis_row(job, about))
    return result


def _analyse(root: str, job: KineticsJob, result: Analysed, about: Row) -> None:
    volume = DynamicVolume(root, job.volume_path, job.quantity)
    about |= {"value_unit": volume.unit, "n_frames": volume.shape[0]}
    if job.refuses_samples:
        raise KineticsRefusedError("kinetics.input_needs_suv", "one of them is not known")
    if not job.is_decay_corrected:
        raise KineticsRefusedError("kinetics.not_decay_corrected", "no SUV, and no START or ADMIN")
    if volume.frames.slice_start_s is not None:
        raise KineticsRefusedError("kinetics.beds", "starts differ from slice to slice")
    if job.profile.weighting == "duration_decay" and job.half_life_s is None:
        raise KineticsRefusedError("kinetics.no_half_life", "duration_decay")
    offset = _injection(job, result)
    times = frame_times(volume.frames.start_s, volume.frames.duration_s, offset)
    about["injection_offset_s"] = offset
    source, targets = _rois(root, job, volume.geometry, result)
    drawn = targets if source is None else [*targets, source]
    curves = _curves(volume, [roi.mask for roi in drawn])
    for roi, curve in zip(drawn, curves, strict=True):
        voxel_ml = volume.geometry.voxel_volume_ml
        result.rows["time_activity_curves"] += curve_rows(
            job, roi.source, curve, times, volume.unit, voxel_ml
        )
    supply = _supply(job, volume, times, source, curves[-1] if source else None, about)
    result.rows["input_functions"] += input_rows(job, supply, volume.unit)
    starts = _fit_all(job, targets, curves, supply, result)
    about["t_star_min"] = max(starts, default=job.profile.t_star_min)
    if job.with_maps and (starts or _has_start(job.profile)):
        latest = None if job.profile.model == "srtm" else max(starts, default=None)
        result.model = voxel_model(job.profile, supply, latest)
        result.attributes = map_attributes(job, about, supply)
    elif not starts:
        raise KineticsRefusedError("kinetics.nothing_fitted", f"{len(targets)} were tried")
    about["analysis_status"] = "done"


def _has_start(profile: KineticProfile) -> bool:
    """Tell whether images can be had without a start of the linear part that an ROI gave."""
    return profile.t_star_min is not None or profile.model == "srtm"


def _injection(job: KineticsJob, result: Analysed) -> float:
    if job.injection_offset_s is not None:
        return job.injection_offset_s
    result.rows["findings"].append(
        finding(job, "kinetics.no_injection_time", "times count from the first frame", "warn")
    )
    return 0.0


def _rois(
    root: str, job: KineticsJob, grid: Geometry, result: Analysed
) -> tuple[_Roi | None, list[_Roi]]:
    """Draw the ROI of the input (None for blood samples) and those to fit."""
    source = None
    if job.samples is None:
        what = "input function" if job.profile.needs_plasma else "reference tissue"
        if not job.sources:
            raise KineticsRefusedError("kinetics.no_input_roi", f"no ROI for the {what}")
        if len(job.sources) > 1:
            raise KineticsRefusedError(
                "kinetics.ambiguous_roi", f"{len(job.sources)} ROIs for the {what}"
            )
        source = _drawn(root, job.sources[0], grid)
    targets = []
    for target in job.targets:
        try:
            targets.append(_drawn(root, target, grid))
        except KineticsRefusedError as refused:
            found = finding(job, refused.reason_code, refused.detail, "warn")
            result.rows["findings"].append(found)
    if not targets and not (job.with_maps and _has_start(job.profile)):
        raise KineticsRefusedError("kinetics.no_target_roi", "nothing to fit")
    return source, targets


def _drawn(root: str, source: RoiSource, grid: Geometry) -> _Roi:
    said = f"ROI {source.segment_number} ({source.label})"
    try:
        mask = _mask(root, source, grid)
    except RejectedObjectError as error:
        raise KineticsRefusedError("kinetics.unusable_roi", f"{said}: {error.detail}") from error
    if not mask.any():
        raise KineticsRefusedError("kinetics.empty_roi", said)
    return _Roi(source, mask)


def _mask(root: str, source: RoiSource, grid: Geometry) -> NDArray[np.bool_]:
    if source.mask_path is None:
        return rasterise_contours(source.contours, grid)
    return mask_to_grid(read_mask(root, source.mask_path), source.segment_number, grid)


def _curves(volume: DynamicVolume, masks: Sequence[NDArray[np.bool_]]) -> list[RoiCurve]:
    sums = CurveSums(masks, volume.shape[0])
    for window in sums.needed(block_windows(volume.shape)):
        sums.add(window, volume.read(window))
    return sums.curves()


def _supply(
    job: KineticsJob,
    volume: DynamicVolume,
    times: FrameTimes,
    source: _Roi | None,
    curve: RoiCurve | None,
    about: Row,
) -> Supply:
    profile = job.profile
    weights = frame_weights(times, profile.weighting, job.half_life_s)
    if job.samples is not None:
        about["input_source"] = "samples"
        return Supply(times, weights, input_of_samples(times, job.samples))
    if source is None or curve is None:
        raise ValueError("neither samples nor an ROI")
    about["input_roi_label"] = source.source.label
    if profile.model != "ratio" and scan_is_late(times, curve.mean, profile.latest_start_s):
        raise KineticsRefusedError(
            "kinetics.late_start",
            f"the first frame, {times.start_s[0]:g} s after the injection (allowed are "
            f"{profile.latest_start_s:g} s), does not come before the tracer",
        )
    mean = curve.mean
    if not profile.needs_plasma:
        about["input_source"] = "reference roi"
        return Supply(times, weights, reference=mean)
    about["input_source"] = "roi mean"
    if profile.input_statistic == "hottest":
        about["input_source"] = f"roi hottest {profile.input_hottest_share:g}"
        mean = _hottest(volume, source.mask, times, profile)
    return Supply(times, weights, input_of_curve(times, mean, profile.plasma_over_blood))


def _hottest(
    volume: DynamicVolume, mask: NDArray[np.bool_], times: FrameTimes, profile: KineticProfile
) -> FloatArray:
    """Mean curve of the voxels of an ROI that are hottest while the bolus passes."""
    parts = [
        volume.read(window)[:, mask[window]]
        for window in block_windows(volume.shape)
        if mask[window].any()
    ]
    curves = np.concatenate(parts, axis=1).astype(np.float64)
    early = early_frames(times, profile.input_early_min) @ curves
    mean: FloatArray = curves[:, hottest_share(early, profile.input_hottest_share)].mean(axis=1)
    return mean


def _fit_all(
    job: KineticsJob,
    targets: list[_Roi],
    curves: list[RoiCurve],
    supply: Supply,
    result: Analysed,
) -> list[float]:
    """Fit every ROI; returns the starts of the fits that could be done."""
    starts = []
    for roi, curve in zip(targets, curves, strict=False):  # the last curve may be the input's
        try:
            fit = fit_curve(job.profile, curve.mean, supply)
        except KineticsRefusedError as refused:
            said = f"ROI {roi.source.segment_number} ({roi.source.label}): {refused.detail}"
            result.rows["findings"].append(finding(job, refused.reason_code, said, "warn"))
            continue
        starts.append(fit.t_star_min)
        result.rows["kinetic_parameters"] += parameter_rows(job, roi.source, fit)
    return starts
