"""What every harmonisation engine offers, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from tasks.harmonise.covariates import CovariateTable


class HarmonisationModel(Protocol):
    """A fitted model: what it was fitted on and how to apply it."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """All features, in the order of the columns."""

    @property
    def batches(self) -> tuple[str, ...]:
        """Batches it was fitted on."""

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """Covariates whose effect is kept."""

    @property
    def excluded(self) -> tuple[tuple[str, str], ...]:
        """Features that are returned unchanged, each with the rule that excluded it."""

    @property
    def log_features(self) -> tuple[str, ...]:
        """Features that are harmonised on the logarithmic scale."""

    def transform(
        self,
        features: FloatArray,
        batch: Sequence[str],
        covariates: CovariateTable | None = None,
    ) -> FloatArray:
        """Return harmonised values, ``(n_rows, n_features)``; excluded features unchanged."""

    def to_json(self) -> str:
        """Everything needed to apply the model again."""

    def digest(self) -> str:
        """Hexadecimal digest of the model."""


class Harmoniser(Protocol):
    """A method of harmonisation."""

    def fit(
        self,
        features: FloatArray,
        batch: Sequence[str],
        covariates: CovariateTable | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> HarmonisationModel:
        """Estimate batch effects from training rows, ``(n_rows, n_features)``."""


@dataclass(frozen=True)
class Method:
    """A variant of ComBat.

    Parameters
    ----------
    prior : str
        ``parametric``, ``nonparametric`` or ``none`` (no empirical Bayes).
    mean_only : bool
        Correct the shift of a batch and leave its variance.
    """

    prior: str
    mean_only: bool = False


#: Methods by the name that users give and tables hold.
METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "combat_parametric": Method("parametric"),
        "combat_nonparametric": Method("nonparametric"),
        "combat_no_eb": Method("none"),
        "combat_mean_only": Method("parametric", mean_only=True),
        "combat_nonparametric_mean_only": Method("nonparametric", mean_only=True),
        "combat_no_eb_mean_only": Method("none", mean_only=True),
    }
)


def method_of(name: str) -> Method:
    """Return the method of this name.

    Raises
    ------
    InvalidInputError
        No such method.
    """
    if name not in METHODS:
        raise InvalidInputError(
            f"harmonisation method: expected one of {list(METHODS)}, got {name!r}"
        )
    return METHODS[name]
