"""The 18 intensity-based statistics of IBSI."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from schemas.features import FEATURES
from schemas.geometry import FloatArray
from schemas.profiles import FeatureProfile
from tasks.features.roi import RoiImage

_NAMES = tuple(name for name, d in FEATURES.items() if d.family == "statistics")


class Statistics:
    """Mean, spread, shape and percentiles of the intensities, not discretised.

    Percentiles interpolate linearly between order statistics (numpy's default; Hyndman and Fan
    type 7): IBSI leaves the convention open.
    """

    name: ClassVar[str] = "statistics"
    margin_mm: ClassVar[float] = 0.0

    def compute(self, roi: RoiImage, profile: FeatureProfile) -> dict[str, float]:  # noqa: ARG002
        """Return the statistics; NaN for those not defined (no voxels, no spread, mean zero)."""
        values = roi.intensities
        if not values.size:
            return dict.fromkeys(_NAMES, np.nan)
        return {f"stat_{name}": v for name, v in intensity_statistics(values).items()}


def intensity_statistics(values: FloatArray) -> dict[str, float]:
    """Return the IBSI statistics of some intensities.

    Parameters
    ----------
    values : ndarray, (n,), float64
        At least one, all finite.

    Returns
    -------
    dict of str to float
        Undefined ratios are NaN.

    References
    ----------
    IBSI reference manual (arXiv:1612.07003), section 3.3.

    Examples
    --------
    >>> intensity_statistics(np.array([1.0, 2.0, 3.0, 6.0]))["variance"]
    3.5
    """
    p10, p25, median, p75, p90 = (float(p) for p in np.percentile(values, [10, 25, 50, 75, 90]))
    low, high = float(values.min()), float(values.max())
    return {
        **_moments(values, flat=low == high),
        "median": median,
        "minimum": low,
        "p10": p10,
        "p90": p90,
        "maximum": high,
        "interquartile_range": p75 - p25,
        "range": high - low,
        "mean_absolute_deviation": _spread(values, float(values.mean())),
        "robust_mean_absolute_deviation": _robust_spread(values, p10, p90),
        "median_absolute_deviation": _spread(values, median),
        "quartile_coefficient_of_dispersion": _ratio(p75 - p25, p75 + p25),
        "energy": float(np.square(values).sum()),
        "root_mean_square": float(np.sqrt(np.square(values).mean())),
    }


def _moments(values: FloatArray, *, flat: bool) -> dict[str, float]:
    """Mean, variance, skewness, excess kurtosis, coefficient of variation."""
    mean = float(values.mean())
    deviation = np.zeros_like(values) if flat else values - mean
    variance = float(np.square(deviation).mean())
    return {
        "mean": mean,
        "variance": variance,
        "skewness": _ratio(float((deviation**3).mean()), variance**1.5),
        "kurtosis": _ratio(float((deviation**4).mean()), variance**2) - 3.0,
        "coefficient_of_variation": _ratio(float(np.sqrt(variance)), mean),
    }


def _spread(values: FloatArray, centre: float) -> float:
    return float(np.abs(values - centre).mean())


def _robust_spread(values: FloatArray, p10: float, p90: float) -> float:
    kept = values[(values >= p10) & (values <= p90)]
    return _spread(kept, float(kept.mean())) if kept.size else np.nan


def _ratio(a: float, b: float) -> float:
    return a / b if b != 0.0 else np.nan
