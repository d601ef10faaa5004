"""Rows of what was done with a dynamic series."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from flows.work.features import RoiSource
from flows.work.kinetic_job import KineticsJob
from schemas.kinetics import KINETIC_REFUSALS
from schemas.records import Row
from schemas.volume import Attributes
from tasks.findings.row import finding_row
from tasks.kinetics.fits import CurveFit
from tasks.kinetics.frames import FrameTimes
from tasks.kinetics.models import Supply
from tasks.kinetics.roi_curves import RoiCurve


def map_attributes(job: KineticsJob, about: Row, supply: Supply) -> Attributes:
    """Collect what a reader of a parametric volume alone needs to know."""
    given = supply.plasma.mean if supply.plasma is not None else supply.reference
    return {
        "kinetic_model": job.profile.model,
        "kinetic_profile": asdict(job.profile),
        "input_source": about.get("input_source"),
        "input_roi_label": about.get("input_roi_label"),
        "input_mean": given,
        "input_unit": about["value_unit"],
        "frame_start_s": supply.times.start_s,
        "frame_duration_s": supply.times.duration_s,
        "t_star_min": about["t_star_min"],
        "input_digest": job.input_digest,
    }


def analysis_row(job: KineticsJob, about: Row) -> Row:
    """Row of `kinetic_analyses`."""
    return {
        "analysis_id": job.analysis_id,
        **job.identity,
        "parent_volume_id": job.volume_id,
        "profile_id": job.profile.profile_id,
        "profile_digest": job.profile.digest(),
        "profile_json": json.dumps(asdict(job.profile), sort_keys=True),
        "kinetic_model": job.profile.model,
        **about,
        "input_digest": job.input_digest,
    }


def curve_rows(
    job: KineticsJob,
    source: RoiSource,
    curve: RoiCurve,
    times: FrameTimes,
    unit: str,
    voxel_ml: float,
) -> list[Row]:
    """Rows of `time_activity_curves`."""
    return [
        {
            "parent_volume_id": job.volume_id,
            "segmentation_series_uid": source.segmentation_series_uid,
            "segment_number": source.segment_number,
            "frame_number": i + 1,
            **job.identity,
            "roi_label": source.label,
            **_times(times, i),
            "activity_mean": _finite(curve.mean[i]),
            "activity_sd": _finite(curve.sd[i]),
            "value_unit": unit,
            "n_voxels": curve.n_voxels,
            "roi_volume_ml": curve.n_voxels * voxel_ml,
        }
        for i in range(times.n)
    ]


def input_rows(job: KineticsJob, supply: Supply, unit: str) -> list[Row]:
    """Rows of `input_functions`."""
    given = supply.input_for(job.profile)
    return [
        {
            "analysis_id": job.analysis_id,
            "frame_number": i + 1,
            "series_instance_uid": job.series_instance_uid,
            **_times(supply.times, i),
            "input_mean": float(given.mean[i]),
            "input_integral": float(given.integral[i]),
            "value_unit": unit,
        }
        for i in range(supply.times.n)
    ]


def _times(times: FrameTimes, i: int) -> Row:
    return {
        "frame_start_s": float(times.start_s[i]),
        "frame_duration_s": float(times.duration_s[i]),
    }


def parameter_rows(job: KineticsJob, source: RoiSource, fit: CurveFit) -> list[Row]:
    """Rows of `kinetic_parameters`."""
    return [
        {
            "analysis_id": job.analysis_id,
            "segmentation_series_uid": source.segmentation_series_uid,
            "segment_number": source.segment_number,
            "parameter_name": estimate.name,
            **job.identity,
            "profile_id": job.profile.profile_id,
            "kinetic_model": job.profile.model,
            "roi_label": source.label,
            "value": _finite(estimate.value),
            "unit": estimate.unit,
            "standard_error": _finite(estimate.standard_error),
            "r_squared": _finite(fit.r_squared),
            "largest_deviation": _finite(fit.largest_deviation),
            "t_star_min": fit.t_star_min,
            "first_frame": fit.used.start + 1,
            "last_frame": fit.used.stop,
        }
        for estimate in fit.estimates
    ]


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def finding(job: KineticsJob, code: str, detail: str, severity: str) -> Row:
    """Make a finding on an analysis; `code` is one of `schemas.kinetics.KINETIC_REFUSALS`."""
    return finding_row(
        rule_id=code,
        severity=severity,
        subject_kind="analysis",
        subject_id=job.analysis_id,
        message=f"{KINETIC_REFUSALS[code]} {detail} ({job.profile.profile_id})",
        patient_key=job.identity["patient_key"],
        centre=job.identity["centre"],
    )
