"""What every feature is: name, IBSI code, family, unit, meaning.

Uptake features carry their quantity in the name, so that a number in Bq/ml or counts can never be
taken for an SUV: ``suv_max``, ``activity_max`` and ``counts_max`` are three features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

#: Stands for the unit of the measured volume in `FeatureDefinition.unit`.
IMAGE_UNIT: Final = "{image}"

#: Prefix of the uptake features by unit of the volume.
UPTAKE_PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {"SUVbw": "suv", "Bq/ml": "activity", "CNTS": "counts"}
)

#: Name of "mean times volume" by unit of the volume.
UPTAKE_TOTALS: Final[Mapping[str, str]] = MappingProxyType(
    {"SUVbw": "tlg_g", "Bq/ml": "activity_total_bq", "CNTS": "counts_integral_ml"}
)


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """One feature, described once.

    Parameters
    ----------
    name : str
        As in the column ``feature``; the family's prefix first.
    ibsi_code : str or None
        Permanent code of the IBSI reference manual; None where the manual does not have it.
    family : str
        Family that computes it: ``uptake``, ``statistics`` or ``glcm``.
    unit : str
        UCUM; ``1`` for a pure number, ``{image}`` for the unit of the volume.
    description : str
        One sentence.

    References
    ----------
    Zwanenburg A et al. Image biomarker standardisation initiative, reference manual,
    arXiv:1612.07003.
    """

    name: str
    ibsi_code: str | None
    family: str
    unit: str
    description: str

    def unit_for(self, value_unit: str) -> str:
        """Return the unit of the value on a volume in `value_unit`.

        Examples
        --------
        >>> FEATURES["stat_variance"].unit_for("SUVbw")
        '(g/ml)2'
        """
        image = "g/ml" if value_unit == "SUVbw" else value_unit
        if self.unit == f"{IMAGE_UNIT}2":
            return "1" if image == "1" else f"({image})2"
        return self.unit.replace(IMAGE_UNIT, image)


def _uptake(value_unit: str) -> Iterable[FeatureDefinition]:
    prefix, total = UPTAKE_PREFIXES[value_unit], UPTAKE_TOTALS[value_unit]
    what = {"suv": "SUVbw", "activity": "Activity concentration", "counts": "Counts"}[prefix]
    unit = "g/ml" if prefix == "suv" else value_unit
    total_unit = {"suv": "g", "activity": "Bq", "counts": "CNTS.ml"}[prefix]
    rows = (
        ("max", None, "highest voxel of the ROI"),
        ("mean", None, "mean over the ROI"),
        ("median", None, "median over the ROI"),
        ("sd", None, "standard deviation over the ROI (population)"),
        ("peak_maxvoxel", "VJGA", "mean in the 1 ml sphere around the highest voxel of the ROI"),
        ("peak_global", "0F91", "highest mean in a 1 ml sphere around any voxel of the ROI"),
    )
    for suffix, code, text in rows:
        yield FeatureDefinition(f"{prefix}_{suffix}", code, "uptake", unit, f"{what}: {text}.")
    yield FeatureDefinition(
        total, None, "uptake", total_unit, f"{what}: mean over the ROI times its volume."
    )


#: Voxels times voxel volume; IBSI's approximate volume YEKZ is the same in mm³.
_VOLUME = FeatureDefinition(
    "mtv_ml", None, "uptake", "ml", "Volume of the ROI: voxels times voxel volume."
)

_STATISTICS: Final = (
    ("mean", "Q4LE", IMAGE_UNIT, "Mean."),
    ("variance", "ECT3", f"{IMAGE_UNIT}2", "Variance (population)."),
    ("skewness", "KE2A", "1", "Skewness."),
    ("kurtosis", "IPH6", "1", "Excess kurtosis."),
    ("median", "Y12H", IMAGE_UNIT, "Median."),
    ("minimum", "1GSF", IMAGE_UNIT, "Minimum."),
    ("p10", "QG58", IMAGE_UNIT, "10th percentile."),
    ("p90", "8DWT", IMAGE_UNIT, "90th percentile."),
    ("maximum", "84IY", IMAGE_UNIT, "Maximum."),
    ("interquartile_range", "SALO", IMAGE_UNIT, "75th minus 25th percentile."),
    ("range", "2OJQ", IMAGE_UNIT, "Maximum minus minimum."),
    ("mean_absolute_deviation", "4FUA", IMAGE_UNIT, "Mean absolute deviation from the mean."),
    ("robust_mean_absolute_deviation", "1128", IMAGE_UNIT,
     "Mean absolute deviation from the mean, of the values from P10 to P90."),
    ("median_absolute_deviation", "N72L", IMAGE_UNIT, "Mean absolute deviation from the median."),
    ("coefficient_of_variation", "7TET", "1", "Standard deviation over mean."),
    ("quartile_coefficient_of_dispersion", "9S40", "1", "(P75 - P25) / (P75 + P25)."),
    ("energy", "N8CA", f"{IMAGE_UNIT}2", "Sum of squares; grows with the number of voxels."),
    ("root_mean_square", "5ZWQ", IMAGE_UNIT, "Root of the mean of squares."),
)  # fmt: skip

_GLCM: Final = (
    ("joint_maximum", "GYBY", "Probability of the most common pair of levels."),
    ("joint_average", "60VM", "Mean level of the pairs."),
    ("joint_variance", "UR99", "Variance of the level of the pairs."),
    ("joint_entropy", "TU9B", "Entropy of the pairs, bit."),
    ("difference_average", "TF7R", "Mean absolute difference of levels."),
    ("difference_variance", "D3YU", "Variance of the absolute difference."),
    ("difference_entropy", "NTRS", "Entropy of the absolute difference, bit."),
    ("sum_average", "ZGXS", "Mean sum of levels."),
    ("sum_variance", "OEEB", "Variance of the sum of levels."),
    ("sum_entropy", "P6QZ", "Entropy of the sum of levels, bit."),
    ("angular_second_moment", "8ZQL", "Sum of squared probabilities (energy)."),
    ("contrast", "ACUI", "Mean squared difference of levels."),
    ("dissimilarity", "8S9J", "Mean absolute difference of levels."),
    ("inverse_difference", "IB1Z", "Mean of 1 / (1 + |i - j|)."),
    ("normalised_inverse_difference", "NDRX", "Mean of 1 / (1 + |i - j| / Ng)."),
    ("inverse_difference_moment", "WF0Z", "Mean of 1 / (1 + (i - j)²)."),
    ("normalised_inverse_difference_moment", "1QCO", "Mean of 1 / (1 + (i - j)² / Ng²)."),
    ("inverse_variance", "E8JP", "Sum of p / (i - j)² over unequal levels."),
    ("correlation", "NI2N", "Correlation of the two levels of a pair."),
    ("autocorrelation", "QWB0", "Mean product of levels."),
    ("cluster_tendency", "DG8W", "Second central moment of the sum of levels."),
    ("cluster_shade", "7NFM", "Third central moment of the sum of levels."),
    ("cluster_prominence", "AE86", "Fourth central moment of the sum of levels."),
    ("information_correlation_1", "R8DG", "First measure of information correlation."),
    ("information_correlation_2", "JN9H", "Second measure of information correlation."),
)


def _registry() -> Mapping[str, FeatureDefinition]:
    definitions = [d for unit in UPTAKE_PREFIXES for d in _uptake(unit)]
    definitions.append(_VOLUME)
    definitions += [
        FeatureDefinition(f"stat_{n}", c, "statistics", u, t) for n, c, u, t in _STATISTICS
    ]
    definitions += [FeatureDefinition(f"glcm_{n}", c, "glcm", "1", t) for n, c, t in _GLCM]
    features: dict[str, FeatureDefinition] = {}
    for definition in definitions:
        if definition.name in features:
            raise ValueError(f"feature {definition.name!r} is defined twice")
        features[definition.name] = definition
    return MappingProxyType(features)


#: Every feature by name.
FEATURES: Final[Mapping[str, FeatureDefinition]] = _registry()
