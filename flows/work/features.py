"""Worker side of feature extraction: the ROIs of one standard volume, measured and stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lake.volumes import read_image, read_mask, write_mask
from schemas.features import FEATURES
from schemas.geometry import FloatArray, Geometry
from schemas.profiles import FeatureProfile
from schemas.records import Row
from schemas.volume import Attributes, ImageVolume, MaskVolume
from tasks.features.extract import extract
from tasks.findings.row import finding_row
from tasks.segment.contours import rasterise_contours
from tasks.segment.masks import mask_to_grid
from tasks.segment.threshold import fixed_threshold


@dataclass(frozen=True)
class RoiSource:
    """Where an ROI comes from: contours, or a label of a stored mask.

    Parameters
    ----------
    contours : tuple of ndarray, (n, 3) float64
        LPS mm; empty for masks.
    mask_path : str or None
        Stored mask; its label is `segment_number`.
    """

    segmentation_series_uid: str
    segment_number: int
    label: str
    contours: tuple[FloatArray, ...] = ()
    mask_path: str | None = None


@dataclass(frozen=True)
class FeatureJob:
    """One standard volume and the ROIs to measure on it.

    Parameters
    ----------
    identity : dict
        Columns that every row repeats: patient_key, centre, study, series, modality.
    """

    identity: Row
    volume_id: str
    volume_path: str
    rois: tuple[RoiSource, ...]
    profile: FeatureProfile
    input_digest: str


@dataclass
class MeasuredVolume:
    """Rows that one job led to."""

    job_digest: str
    volume_id: str
    series_instance_uid: str
    rows: dict[str, list[Row]] = field(
        default_factory=lambda: {"rois": [], "features": [], "volumes": [], "findings": []}
    )


def measure(volumes_root: str, job: FeatureJob) -> MeasuredVolume:
    """Draw, measure and store every ROI of a volume."""
    image = read_image(volumes_root, job.volume_path)
    uid = str(job.identity["series_instance_uid"])
    measured = MeasuredVolume(job.input_digest, job.volume_id, uid)
    for source, method, mask in _masks(volumes_root, job, image):
        if mask.any():
            _measure_roi(volumes_root, job, image, source, method, mask, measured)
        else:
            measured.rows["findings"].append(_empty_finding(job, source))
    return measured


def _masks(
    root: str, job: FeatureJob, image: ImageVolume
) -> Iterator[tuple[RoiSource, str, NDArray[np.bool_]]]:
    """Yield each ROI with its method and mask on the image's grid."""
    for source in job.rois:
        method = "rtstruct" if source.mask_path is None else "seg"
        yield source, method, roi_mask(root, source, image.geometry, *_mask_rule(image))
    if not job.rois and image.value_unit == "SUVbw":
        yield from _threshold_masks(job, image)


def roi_mask(
    root: str, source: RoiSource, geometry: Geometry, order: int, threshold: float
) -> NDArray[np.bool_]:
    """Mask of a drawn ROI on a grid, (z, y, x)."""
    if source.mask_path is None:
        return rasterise_contours(source.contours, geometry)
    stored = read_mask(root, source.mask_path)
    return mask_to_grid(stored, source.segment_number, geometry, order=order, threshold=threshold)


def _mask_rule(image: ImageVolume) -> tuple[int, float]:
    """Interpolation and threshold of masks that the image's standard profile asks for."""
    profile = cast("Mapping[str, object]", image.attributes.get("profile", {}))
    return int(str(profile.get("mask_order", 1))), float(str(profile.get("mask_threshold", 0.5)))


def _threshold_masks(
    job: FeatureJob, image: ImageVolume
) -> Iterator[tuple[RoiSource, str, NDArray[np.bool_]]]:
    profile = job.profile
    labels = fixed_threshold(image, profile.threshold_suv, profile.minimum_volume_ml)
    for number in range(1, int(labels.max()) + 1):
        source = RoiSource("", number, f"uptake {number}")
        yield source, f"threshold:SUVbw>={profile.threshold_suv:g}", labels == number


def _measure_roi(
    root: str,
    job: FeatureJob,
    image: ImageVolume,
    source: RoiSource,
    method: str,
    mask: NDArray[np.bool_],
    measured: MeasuredVolume,
) -> None:
    roi_id = _roi_id(job, source, method)
    extraction = extract(image, mask, job.profile)
    box = cropped(mask, image.geometry, {"roi_id": roi_id})
    stored = write_mask(root, measured.series_instance_uid, box)
    common = {**job.identity, "feature_profile": job.profile.profile_id,
              "roi_id": roi_id, "roi_label": source.label, "roi_method": method,
              "input_digest": job.input_digest}  # fmt: skip
    measured.rows["volumes"].append(
        {
            **stored,
            "profile_id": job.profile.profile_id,
            "profile_digest": job.profile.digest(),
            "parent_volume_id": job.volume_id,
            "input_digest": job.input_digest,
        }
    )
    measured.rows["rois"].append(_roi_row(common, job, source, mask, image, stored))
    measured.rows["features"].extend(_feature_rows(common, extraction.values, image.value_unit))
    measured.rows["findings"].extend(
        _finding(job, "roi", roi_id, rule, severity, message)
        for rule, severity, message in extraction.findings
    )


def _roi_id(job: FeatureJob, source: RoiSource, method: str) -> str:
    text = "|".join((job.volume_id, job.profile.digest(), source.segmentation_series_uid,
                     str(source.segment_number), method))  # fmt: skip
    return "R-" + hashlib.sha256(text.encode()).hexdigest()[:20]


def cropped(mask: NDArray[np.bool_], geometry: Geometry, attributes: Attributes) -> MaskVolume:
    """Return the mask's bounding box as a volume of its own, with the affine moved along."""
    box = tuple(
        slice(int(idx[0]), int(idx[-1]) + 1)
        for axis in range(3)
        if len(idx := np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))))
    )
    part = np.ascontiguousarray(mask[box], dtype=np.uint8)
    affine = geometry.affine.copy()
    start_xyz = np.array([box[2].start, box[1].start, box[0].start], dtype=np.float64)
    affine[:3, 3] = geometry.to_lps(start_xyz)
    z, y, x = part.shape
    return MaskVolume(part, Geometry((z, y, x), affine), attributes)


def _roi_row(
    common: Row, job: FeatureJob, source: RoiSource, mask: NDArray[np.bool_],
    image: ImageVolume, stored: Row,
) -> Row:  # fmt: skip
    n = int(np.count_nonzero(mask))
    centre_zyx = np.array([idx.mean() for idx in np.nonzero(mask)])
    x, y, z = image.geometry.to_lps(centre_zyx[::-1])
    columns = {k: v for k, v in common.items() if k not in ("study_instance_uid", "modality")}
    return {
        **columns,
        "segmentation_series_uid": source.segmentation_series_uid or None,
        "segment_number": source.segment_number,
        "volume_id": stored["volume_id"],
        "parent_volume_id": job.volume_id,
        "n_voxels": n,
        "roi_volume_ml": n * image.geometry.voxel_volume_ml,
        "centroid_x_mm": float(x),
        "centroid_y_mm": float(y),
        "centroid_z_mm": float(z),
    }


def _feature_rows(common: Row, values: Mapping[str, float], image_unit: str) -> list[Row]:
    return [
        {**common, "feature": name, "ibsi_code": FEATURES[name].ibsi_code,
         "unit": FEATURES[name].unit_for(image_unit),
         "value": value if np.isfinite(value) else None}
        for name, value in values.items()
    ]  # fmt: skip


def _finding(
    job: FeatureJob, kind: str, subject: str, rule: str, severity: str, message: str
) -> Row:
    return finding_row(
        rule_id=rule,
        severity=severity,
        subject_kind=kind,
        subject_id=subject,
        message=message,
        patient_key=job.identity["patient_key"],
        centre=job.identity["centre"],
    )


def _empty_finding(job: FeatureJob, source: RoiSource) -> Row:
    message = (
        f"ROI {source.segment_number} ({source.label}) covers no voxel of the image; check that it "
        "was drawn on this series"
    )
    return _finding(job, "volume", job.volume_id, "ROI-EMPTY", "warn", message)
