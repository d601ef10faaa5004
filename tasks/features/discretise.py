"""Intensities to grey levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.features import UPTAKE_PREFIXES
from schemas.geometry import FloatArray
from schemas.profiles import FeatureProfile
from tasks.features.roi import RoiImage

#: Beyond this the bin width does not fit the unit of the volume (CT with bins of 1 HU has 4096).
MOST_LEVELS: Final = 4096


@dataclass(frozen=True, eq=False)
class GreyLevels:
    """Discretised region.

    Parameters
    ----------
    levels : ndarray, (z, y, x), int32
        1 to `n_levels` inside the region, 0 outside.
    n_levels : int
        Ng: bins (fixed bin number) or the highest level that occurs (fixed bin size); 0 without
        voxels.
    """

    levels: NDArray[np.int32]
    n_levels: int

    @property
    def is_usable(self) -> bool:
        """True if there are voxels and not absurdly many levels."""
        return 0 < self.n_levels <= MOST_LEVELS


def discretise(roi: RoiImage, profile: FeatureProfile) -> GreyLevels:
    """Give every intensity its grey level.

    Fixed bin size counts bins from `FeatureProfile.resegment_min`; without one from 0 for
    activity (SUV, Bq/ml, counts; values below 0 get level 1), otherwise from the lowest intensity.

    Parameters
    ----------
    roi : RoiImage
        Already re-segmented.
    profile : FeatureProfile
        Method, bin width and number.

    References
    ----------
    IBSI reference manual (arXiv:1612.07003), section 2.7.
    """
    values = roi.intensities
    levels = np.zeros(roi.values.shape, dtype=np.int32)
    if not values.size:
        return GreyLevels(levels, 0)
    if profile.discretisation == "fbn":
        bins, n_levels = _fixed_number(values, profile.bin_count), profile.bin_count
    else:
        bins = _fixed_size(values, profile.bin_width, _lowest(roi, profile, values))
        n_levels = int(bins.max())
    if n_levels <= MOST_LEVELS:
        levels[roi.intensity_mask] = bins
    return GreyLevels(levels, n_levels)


def _fixed_number(values: FloatArray, count: int) -> FloatArray:
    low, high = values.min(), values.max()
    if low == high:
        return np.ones_like(values)
    bins: FloatArray = np.floor(count * ((values - low) / (high - low))) + 1.0
    return np.minimum(bins, count)


def _fixed_size(values: FloatArray, width: float, lowest: float) -> FloatArray:
    bins: FloatArray = np.floor((values - lowest) / width) + 1.0
    return np.maximum(bins, 1.0)


def _lowest(roi: RoiImage, profile: FeatureProfile, values: FloatArray) -> float:
    if profile.resegment_min is not None:
        return profile.resegment_min
    return 0.0 if roi.value_unit in UPTAKE_PREFIXES else float(values.min())
