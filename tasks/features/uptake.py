"""Uptake: the numbers that clinicians read."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from schemas.features import UPTAKE_PREFIXES, UPTAKE_TOTALS
from schemas.geometry import FloatArray
from schemas.profiles import FeatureProfile
from tasks.features.peaks import SPHERE_RADIUS_MM, local_peaks
from tasks.features.roi import RoiImage


class Uptake:
    """SUV (or activity, or counts): maximum, mean, median, SD, peaks, volume, mean times volume.

    The region is taken as drawn: re-segmentation is for texture. Volumes in another unit (HU)
    have no uptake and give nothing.
    """

    name: ClassVar[str] = "uptake"
    margin_mm: ClassVar[float] = SPHERE_RADIUS_MM

    def compute(self, roi: RoiImage, profile: FeatureProfile) -> dict[str, float]:  # noqa: ARG002
        """Return the uptake features, named for the unit of the volume; NaN without voxels."""
        prefix = UPTAKE_PREFIXES.get(roi.value_unit)
        if prefix is None:
            return {}
        finite = roi.mask & np.isfinite(roi.values)
        values = roi.values[finite]
        peak_maxvoxel, peak_global = local_peaks(roi, finite)
        features = {"peak_maxvoxel": peak_maxvoxel, "peak_global": peak_global}
        features.update(_summary(values))
        named = {f"{prefix}_{name}": value for name, value in features.items()}
        named["mtv_ml"] = roi.volume_ml
        named[UPTAKE_TOTALS[roi.value_unit]] = features["mean"] * roi.volume_ml
        return named


def _summary(values: FloatArray) -> dict[str, float]:
    if not values.size:
        return dict.fromkeys(("max", "mean", "median", "sd"), np.nan)
    return {
        "max": float(values.max()),
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "sd": float(values.std()),
    }
