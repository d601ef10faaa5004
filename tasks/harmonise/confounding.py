"""Can batch and covariates be told apart? If not, harmonisation removes biology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from tasks.harmonise.covariates import CovariateEncoding, CovariateTable
from tasks.harmonise.finding import Finding


@dataclass(frozen=True)
class ConfoundingLimits:
    """Limits of association and conditioning.

    Parameters
    ----------
    association_warn, association_fail : float
        Of Cramer's V (categories) and of the share of variance between batches (numbers).
        0.95 of the latter is a variance inflation factor of 20.
    condition_warn, condition_fail : float
        Of the condition number of the design with columns of unit length (Belsley: 30 is strong).
    """

    association_warn: float = 0.6
    association_fail: float = 0.95
    condition_warn: float = 30.0
    condition_fail: float = 1000.0


def cramers_v(first: Sequence[object], second: Sequence[object]) -> float:
    """Cramer's V of two categorical variables: 0 independent, 1 one determines the other.

    Examples
    --------
    >>> cramers_v(["A", "A", "B", "B"], ["f", "f", "m", "m"])
    1.0
    >>> cramers_v(["A", "A", "B", "B"], ["f", "m", "f", "m"])
    0.0

    References
    ----------
    Cramer H. Mathematical Methods of Statistics, 1946, section 21.9.
    """
    _, rows = np.unique(np.array([str(v) for v in first]), return_inverse=True)
    _, columns = np.unique(np.array([str(v) for v in second]), return_inverse=True)
    counts = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(counts, (rows, columns), 1.0)
    if min(counts.shape) < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi_squared / (counts.sum() * (min(counts.shape) - 1))))


def variance_between(values: FloatArray, batch_index: NDArray[np.intp]) -> float:
    """Share of the variance of a variable that lies between batches (eta squared), 0 to 1.

    Examples
    --------
    >>> variance_between(np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]))
    0.8
    """
    sizes = np.bincount(batch_index)
    means = np.bincount(batch_index, weights=values) / np.maximum(sizes, 1)
    total = float(((values - values.mean()) ** 2).sum())
    between = float((sizes * (means - values.mean()) ** 2).sum())
    return between / total if total > 0 else 0.0


def confounding(
    batch_index: NDArray[np.intp],
    batches: Sequence[str],
    covariates: CovariateTable,
    limits: ConfoundingLimits = ConfoundingLimits(),
) -> list[Finding]:
    """Find constant, confounded and nearly dependent covariates.

    Parameters
    ----------
    batch_index : ndarray, (n_rows,)
    batches : sequence of str
    covariates : CovariateTable
        Without missing values.
    limits : ConfoundingLimits

    Returns
    -------
    list of Finding
    """
    encoding = CovariateEncoding.fit(covariates)
    found = [
        Finding(
            "harmonise.covariate_constant",
            "warn",
            f"Covariate {name!r} has one value in all rows and is left out.",
        )
        for name in covariates.names
        if name not in encoding.names
    ]
    for name, _, _ in encoding.continuous:
        share = variance_between(covariates.continuous[name], batch_index)
        found += _association(name, "share of its variance between batches", share, limits)
    for name, _ in encoding.categorical:
        v = cramers_v(batch_index.tolist(), covariates.categorical[name])
        found += _association(name, "Cramer's V with the batch", v, limits)
    return [*found, *_design(batch_index, len(batches), covariates, encoding, limits)]


def _association(name: str, measure: str, value: float, limits: ConfoundingLimits) -> list[Finding]:
    if value < limits.association_warn:
        return []
    fails = value >= limits.association_fail
    consequence = (
        "its effect cannot be told from that of the batch. Leave the covariate out, or add rows in "
        "which the two differ."
        if fails
        else "its effect and that of the batch are hard to tell apart."
    )
    message = f"Covariate {name!r} is confounded with the batch ({measure}: {value:.2f}): "
    return [Finding("harmonise.confounded", "fail" if fails else "warn", message + consequence)]


def _design(
    batch_index: NDArray[np.intp],
    n_batches: int,
    covariates: CovariateTable,
    encoding: CovariateEncoding,
    limits: ConfoundingLimits,
) -> list[Finding]:
    columns = encoding.encode(covariates, covariates.n_rows)
    design = np.hstack([np.eye(n_batches)[batch_index], columns])
    n_rows, n_columns = design.shape
    if n_rows <= n_columns:
        message = f"{n_rows} rows cannot determine {n_columns} batch and covariate effects."
        return [Finding("harmonise.too_few_rows", "fail", message)]
    singular = np.linalg.svd(design / np.linalg.norm(design, axis=0), compute_uv=False)
    if singular[-1] <= singular[0] * n_rows * np.finfo(np.float64).eps:
        message = (
            f"Batch and covariates {list(encoding.names)} are linearly dependent: leave out one "
            "that the others determine."
        )
        return [Finding("harmonise.rank_deficient", "fail", message)]
    condition = float(singular[0] / singular[-1])
    if condition < limits.condition_warn:
        return []
    severity = "fail" if condition >= limits.condition_fail else "warn"
    message = (
        f"Batch and covariates {list(encoding.names)} are nearly dependent (condition number "
        f"{condition:.0f}, limit {limits.condition_fail:.0f})."
    )
    return [Finding("harmonise.ill_conditioned", severity, message)]
