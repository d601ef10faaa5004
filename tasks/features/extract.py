"""All features of one region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.features import UPTAKE_PREFIXES
from schemas.profiles import FeatureProfile
from schemas.volume import ImageVolume
from tasks.features.discretise import MOST_LEVELS, discretise
from tasks.features.families import FAMILIES, FamilyRegistry
from tasks.features.roi import RoiImage, roi_image

#: ``(rule_id, severity, message)``.
Finding = tuple[str, str, str]

#: LIFEx' limit below which texture says little (Nioche C et al. Cancer Res 2018;78:4786).
_FEW_VOXELS: Final = 64


@dataclass(frozen=True)
class Extraction:
    """Features of one region and what a reader of them should know.

    Parameters
    ----------
    values : mapping of str to float
        By feature name; NaN where a feature is not defined.
    findings : tuple of (rule_id, severity, message)
        Why values are NaN or weak.
    """

    values: Mapping[str, float]
    findings: tuple[Finding, ...] = ()


def extract(
    volume: ImageVolume,
    mask: NDArray[np.bool_],
    profile: FeatureProfile,
    families: FamilyRegistry = FAMILIES,
) -> Extraction:
    """Measure the features of a region.

    Only the region's box and a margin are looked at; values are those of the whole volume.
    Every region gives values: those that are not defined are NaN, with a finding that says why.

    Parameters
    ----------
    volume : ImageVolume
        (z, y, x), in any unit.
    mask : ndarray, (z, y, x), bool
        The region, on the grid of the volume.
    profile : FeatureProfile
        Families, re-segmentation and discretisation.
    families : FamilyRegistry, optional
        Where families are looked up.

    Raises
    ------
    InvalidInputError
        Mask and volume differ in shape, or the profile names an unknown family.
    """
    chosen = families.select(profile.families)
    drawn = roi_image(volume, mask, max((f.margin_mm for f in chosen), default=0.0))
    roi = drawn.resegmented(profile.resegment_min, profile.resegment_max)
    values: dict[str, float] = {}
    for family in chosen:
        values.update(family.compute(roi, profile))
    return Extraction(values, tuple(_findings(drawn, roi, profile)))


def _findings(drawn: RoiImage, roi: RoiImage, profile: FeatureProfile) -> list[Finding]:
    if not drawn.mask.any():
        return [("ROI-EMPTY", "fail", "The region holds no voxel of the volume.")]
    findings = _voxel_findings(drawn, roi)
    texture = set(profile.families) - {"uptake", "statistics"}
    n = int(roi.intensity_mask.sum())
    if texture and n:
        findings += _texture_findings(roi, profile, n)
    if "uptake" in profile.families and roi.value_unit not in UPTAKE_PREFIXES:
        text = f"Volume in {roi.value_unit}: uptake features are defined for SUV, Bq/ml and counts."
        findings.append(("FEA-UNIT", "info", text))
    return findings


def _voxel_findings(drawn: RoiImage, roi: RoiImage) -> list[Finding]:
    findings: list[Finding] = []
    n_drawn, n_finite = int(drawn.mask.sum()), int(drawn.intensity_mask.sum())
    if n_finite < n_drawn:
        text = f"{n_drawn - n_finite} of {n_drawn} voxels are not finite and were left out."
        findings.append(("ROI-NAN", "warn", text))
    n = int(roi.intensity_mask.sum())
    if n == 0 and n_finite:
        text = f"None of {n_finite} voxels lies in the re-segmentation range."
        findings.append(("ROI-RANGE", "warn", text))
    if n and np.ptp(roi.intensities) == 0:
        text = f"All {n} voxels have the same value: shape statistics and texture are undefined."
        findings.append(("ROI-FLAT", "warn", text))
    return findings


def _texture_findings(roi: RoiImage, profile: FeatureProfile, n: int) -> list[Finding]:
    findings: list[Finding] = []
    if n < _FEW_VOXELS:
        text = f"Texture of {n} voxels (fewer than {_FEW_VOXELS}) mostly reflects the volume."
        findings.append(("ROI-SMALL", "warn", text))
    n_levels = discretise(roi, profile).n_levels
    if n_levels > MOST_LEVELS:
        text = (
            f"{n_levels} grey levels (at most {MOST_LEVELS}): the bin width {profile.bin_width} "
            f"does not fit values in {roi.value_unit}; texture was not computed."
        )
        findings.append(("FEA-BINS", "warn", text))
    return findings
