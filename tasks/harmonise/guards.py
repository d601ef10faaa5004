"""What must hold before batches can be harmonised, in sentences a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from tasks.harmonise.confounding import ConfoundingLimits, confounding
from tasks.harmonise.covariates import CovariateTable
from tasks.harmonise.finding import Finding


@dataclass(frozen=True)
class GuardLimits:
    """When a guard speaks.

    Parameters
    ----------
    smallest_batch : int
        Below it: refused; a variance needs two rows.
    advised_batch : int
        Below it: warned (Orlhac et al., J Nucl Med 2022;63:172, advise 20 to 30 and more).
    constant_tolerance : float
        A range below this fraction of the largest magnitude counts as constant.
    confounding : ConfoundingLimits
    """

    smallest_batch: int = 2
    advised_batch: int = 10
    constant_tolerance: float = 1e-12
    confounding: ConfoundingLimits = field(default_factory=ConfoundingLimits)


class Prepared(NamedTuple):
    """Checked input in the form the engines work on."""

    matrix: FloatArray
    batches: tuple[str, ...]
    batch_index: NDArray[np.intp]
    names: tuple[str, ...]


class Review(NamedTuple):
    """All findings, and the rule that excluded a feature by the feature's name."""

    findings: tuple[Finding, ...]
    left_out: dict[str, str]


def prepare(features: FloatArray, batch: Sequence[str], names: Sequence[str] | None) -> Prepared:
    """Check shapes and number the batches in sorted order.

    Parameters
    ----------
    features : ndarray, (n_rows, n_features), float64
    batch : sequence of str, (n_rows,)
    names : sequence of str or None, (n_features,)
        None names them by their column number.

    Raises
    ------
    InvalidInputError
        Lengths do not fit, names repeat, or there is nothing.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise InvalidInputError(f"expected features (rows, features), got shape {values.shape}")
    if len(batch) != len(values):
        raise InvalidInputError(
            f"expected a batch for each of {len(values)} rows, got {len(batch)}"
        )
    given = tuple(names) if names is not None else tuple(f"{i}" for i in range(values.shape[1]))
    if len(given) != values.shape[1] or len(set(given)) != len(given):
        raise InvalidInputError(
            f"expected {values.shape[1]} different feature names, got {len(set(given))}"
        )
    levels, index = np.unique(np.array([str(b) for b in batch], dtype=np.str_), return_inverse=True)
    return Prepared(values, tuple(levels.tolist()), index.astype(np.intp), given)


def check(
    features: FloatArray,
    batch: Sequence[str],
    covariates: CovariateTable | None = None,
    names: Sequence[str] | None = None,
    *,
    limits: GuardLimits = GuardLimits(),
) -> list[Finding]:
    """Return all findings, worst first; severity ``fail`` means that harmonisation is refused.

    Parameters
    ----------
    features : ndarray, (n_rows, n_features), float64
        NaN where missing.
    batch : sequence of str, (n_rows,)
    covariates : CovariateTable or None
    names : sequence of str or None
    limits : GuardLimits

    Returns
    -------
    list of Finding
        ``(rule_id, severity, message)``.
    """
    return list(review(prepare(features, batch, names), covariates, limits).findings)


def review(given: Prepared, covariates: CovariateTable | None, limits: GuardLimits) -> Review:
    """Return all findings, worst first, and the features that are left unchanged."""
    left_out = exclusions(given, limits=limits)
    found = [
        *_check_batches(given, limits),
        *_check_covariates(given, covariates, limits),
        *_check_missing(given),
        *left_out.values(),
    ]
    order = {"fail": 0, "warn": 1, "info": 2}
    ranked = tuple(sorted(found, key=lambda f: order[f.severity]))
    return Review(ranked, {name: f.rule_id for name, f in left_out.items()})


def refuse_failures(findings: Sequence[Finding]) -> None:
    """Raise if any finding is a failure.

    Raises
    ------
    InvalidInputError
        With the messages of all failures.
    """
    if failures := [f.message for f in findings if f.severity == "fail"]:
        raise InvalidInputError("harmonisation refused: " + " ".join(failures))


def exclusions(given: Prepared, *, limits: GuardLimits = GuardLimits()) -> dict[str, Finding]:
    """Return the features that are left unchanged, each with its reason."""
    values = given.matrix
    reasons: dict[str, Finding] = {}
    infinite = np.isinf(values).any(axis=0)
    for j in np.flatnonzero(infinite):
        _exclude(reasons, given.names[j], "infinite_values", "has infinite values")
    low, high, count = _batch_ranges(given)
    lowest, highest = np.fmin.reduce(low, axis=0), np.fmax.reduce(high, axis=0)
    for j in np.flatnonzero(~infinite & _is_constant(lowest, highest, limits)):
        _exclude(reasons, given.names[j], "constant_feature", "has one value in all rows")
    for b, j in zip(*np.nonzero(count < limits.smallest_batch), strict=True):
        detail = f"has {int(count[b, j])} values in batch {given.batches[b]!r}"
        _exclude(reasons, given.names[j], "too_few_values", detail)
    for b, j in zip(*np.nonzero(_is_constant(low, high, limits)), strict=True):
        detail = f"is constant within batch {given.batches[b]!r}"
        _exclude(reasons, given.names[j], "constant_in_batch", detail)
    return reasons


def excluded(name: str, rule: str, detail: str) -> Finding:
    """Say that a feature is left as it is."""
    return Finding(
        f"harmonise.{rule}", "warn", f"Feature {name!r} {detail}: excluded, left unharmonised."
    )


def _exclude(reasons: dict[str, Finding], name: str, rule: str, detail: str) -> None:
    reasons.setdefault(name, excluded(name, rule, detail))


def _batch_ranges(given: Prepared) -> tuple[FloatArray, FloatArray, NDArray[np.intp]]:
    """Minimum, maximum and number of values, ``(n_batches, n_features)`` each."""
    blocks = [given.matrix[given.batch_index == b] for b in range(len(given.batches))]
    return (
        np.array([np.fmin.reduce(block, axis=0) for block in blocks]),
        np.array([np.fmax.reduce(block, axis=0) for block in blocks]),
        np.array([(~np.isnan(block)).sum(axis=0) for block in blocks]),
    )


def _is_constant(low: FloatArray, high: FloatArray, limits: GuardLimits) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.abs(low), np.abs(high))
        constant: NDArray[np.bool_] = high - low <= limits.constant_tolerance * size
    return constant


def _check_batches(given: Prepared, limits: GuardLimits) -> list[Finding]:
    sizes = np.bincount(given.batch_index).tolist()
    found = []
    if len(sizes) < 2:
        message = f"All {sizes[0]} rows belong to one batch; there is nothing to harmonise."
        found.append(Finding("harmonise.single_batch", "fail", message))
    for name, n in zip(given.batches, sizes, strict=True):
        if n < limits.smallest_batch:
            message = (
                f"Batch {name!r} has {n} row; at least {limits.smallest_batch} are needed. "
                "Leave it out or join it with a batch of the same scanner and reconstruction."
            )
            found.append(Finding("harmonise.batch_too_small", "fail", message))
        elif n < limits.advised_batch:
            message = (
                f"Batch {name!r} has {n} rows; estimates from fewer than {limits.advised_batch} "
                "are uncertain (20 to 30 are advised)."
            )
            found.append(Finding("harmonise.batch_small", "warn", message))
    return found


def _check_covariates(
    given: Prepared, covariates: CovariateTable | None, limits: GuardLimits
) -> list[Finding]:
    if covariates is None:
        return []
    n_rows = len(given.matrix)
    if covariates.n_rows != n_rows:
        raise InvalidInputError(f"expected covariates of {n_rows} rows, got {covariates.n_rows}")
    if n_missing := int(covariates.missing().sum()):
        message = (
            f"Covariates are missing in {n_missing} of {n_rows} rows; leave these rows or the "
            "covariate out."
        )
        return [Finding("harmonise.covariate_missing", "fail", message)]
    return confounding(given.batch_index, given.batches, covariates, limits.confounding)


def _check_missing(given: Prepared) -> list[Finding]:
    missing = np.isnan(given.matrix)
    if not (n := int(missing.sum())):
        return []
    n_features = int(missing.any(axis=0).sum())
    message = (
        f"{n} of {missing.size} values are missing, in {n_features} features; they stay missing "
        "and the others are harmonised without them."
    )
    return [Finding("harmonise.missing_values", "info", message)]
