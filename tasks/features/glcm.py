"""The 25 features of the grey level co-occurrence matrix, three-dimensional and merged."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from schemas.features import FEATURES
from schemas.geometry import FloatArray
from schemas.profiles import FeatureProfile
from tasks.features.cooccurrence import Cooccurrence, cooccurrence_3d_merged, histogram
from tasks.features.discretise import discretise
from tasks.features.roi import RoiImage

_NAMES = tuple(name for name, d in FEATURES.items() if d.family == "glcm")


class Glcm:
    """Texture by pairs of neighbouring voxels."""

    name: ClassVar[str] = "glcm"
    margin_mm: ClassVar[float] = 0.0

    def compute(self, roi: RoiImage, profile: FeatureProfile) -> dict[str, float]:
        """Return the 25 features; NaN where there is no pair or discretisation is not usable."""
        grey = discretise(roi, profile)
        if not grey.is_usable:
            return dict.fromkeys(_NAMES, np.nan)
        matrix = cooccurrence_3d_merged(grey, profile.glcm_distance)
        if not matrix.p.size:
            return dict.fromkeys(_NAMES, np.nan)
        return {f"glcm_{name}": value for name, value in glcm_features(matrix).items()}


def glcm_features(matrix: Cooccurrence) -> dict[str, float]:
    """Return the features of a matrix that is not empty.

    References
    ----------
    IBSI reference manual (arXiv:1612.07003), section 3.6.
    """
    return {
        **_joint(matrix),
        **_difference(matrix),
        **_sum(matrix),
        **_weighted(matrix),
        **_information(matrix),
    }


def _joint(m: Cooccurrence) -> dict[str, float]:
    average = _dot(m.i, m.p)
    variance = _dot((m.i - average) ** 2, m.p)
    product = _dot(m.i * m.j, m.p)
    return {
        "joint_maximum": float(m.p.max()),
        "joint_average": average,
        "joint_variance": variance,
        "joint_entropy": _entropy(m.p),
        "angular_second_moment": _dot(m.p, m.p),
        "autocorrelation": product,
        "correlation": (product - average**2) / variance if variance > 1e-12 else np.nan,
    }


def _difference(m: Cooccurrence) -> dict[str, float]:
    p = histogram(np.abs(m.i - m.j), m.p)
    k = np.arange(p.size, dtype=np.float64)
    average = _dot(k, p)
    return {
        "difference_average": average,
        "difference_variance": _dot((k - average) ** 2, p),
        "difference_entropy": _entropy(p),
    }


def _sum(m: Cooccurrence) -> dict[str, float]:
    p = histogram(m.i + m.j, m.p)
    k = np.arange(p.size, dtype=np.float64)
    average = _dot(k, p)
    central = k - average
    variance = _dot(central**2, p)
    return {
        "sum_average": average,
        "sum_variance": variance,
        "sum_entropy": _entropy(p),
        "cluster_tendency": variance,
        "cluster_shade": _dot(central**3, p),
        "cluster_prominence": _dot(central**4, p),
    }


def _weighted(m: Cooccurrence) -> dict[str, float]:
    d, n = np.abs(m.i - m.j), m.n_levels
    unequal = d > 0
    return {
        "contrast": _dot(d**2, m.p),
        "dissimilarity": _dot(d, m.p),
        "inverse_difference": _dot(1 / (1 + d), m.p),
        "normalised_inverse_difference": _dot(1 / (1 + d / n), m.p),
        "inverse_difference_moment": _dot(1 / (1 + d**2), m.p),
        "normalised_inverse_difference_moment": _dot(1 / (1 + (d / n) ** 2), m.p),
        "inverse_variance": _dot(1 / d[unequal] ** 2, m.p[unequal]),
    }


def _information(m: Cooccurrence) -> dict[str, float]:
    """Both measures of information correlation; the matrix is symmetric, so HX = HY."""
    marginal = histogram(m.i, m.p)
    joint, single = _entropy(m.p), _entropy(marginal)
    outer = marginal[m.i.astype(np.int64)] * marginal[m.j.astype(np.int64)]
    cross = -_dot(m.p, np.log2(outer))
    # HXY2, the entropy of the product of the marginals, is twice the entropy of one of them
    gain = max(2.0 * single - joint, 0.0)
    return {
        "information_correlation_1": (joint - cross) / single if single > 1e-12 else np.nan,
        "information_correlation_2": float(np.sqrt(1.0 - np.exp(-2.0 * gain))),
    }


def _dot(a: FloatArray, b: FloatArray) -> float:
    return float(np.dot(a, b))


def _entropy(p: FloatArray) -> float:
    positive = p[p > 0]
    return abs(-_dot(positive, np.log2(positive)))
