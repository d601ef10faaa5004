"""ComBat: batch shifts and scales from one regression, shrunk across features.

References
----------
Johnson WE, Li C, Rabinovic A. Biostatistics 2007;8:118 (ComBat).
Stein CK et al. BMC Med Genomics 2015;8:63 (reference batch).
R sva 3.46 is the implementation whose numbers these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from tasks.harmonise.covariates import CovariateEncoding, CovariateTable
from tasks.harmonise.empirical_bayes import (
    posterior_mean,
    shrink_nonparametric,
    shrink_parametric,
)
from tasks.harmonise.guards import (
    GuardLimits,
    Prepared,
    prepare,
    refuse_failures,
    review,
)
from tasks.harmonise.interface import Method, method_of
from tasks.harmonise.log_scale import LogFeatures
from tasks.harmonise.model import CombatModel
from tasks.harmonise.regression import BatchRegression, regress
from tasks.harmonise.selection import on_scale, select

#: A residual sum of squares below this fraction of the feature's own squares is rounding.
_ROUNDING = 1e-24


@dataclass(frozen=True)
class CombatHarmoniser:
    """Our own ComBat engine.

    Parameters
    ----------
    method : str
        Key of `tasks.harmonise.interface.METHODS`.
    reference_batch : str or None
        Leave this batch unchanged and bring the others to it.
    log_features : "auto", bool or sequence of str
        See `tasks.harmonise.log_scale.choose_log_features`. False here: the array interface does
        what it is told; `harmonise_long` chooses "auto".
    limits : GuardLimits
    """

    method: str = "combat_parametric"
    reference_batch: str | None = None
    log_features: LogFeatures = False
    limits: GuardLimits = field(default_factory=GuardLimits)

    def fit(
        self,
        features: FloatArray,
        batch: Sequence[str],
        covariates: CovariateTable | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> CombatModel:
        """Estimate the batch effects.

        Parameters
        ----------
        features : ndarray, (n_rows, n_features), float64
            NaN where missing. As in sva, one missing value anywhere makes the pooled variances of
            all features those with n - 1.
        batch : sequence of str, (n_rows,)
        covariates : CovariateTable or None
            Effects to keep. Never the outcome that is to be predicted.
        names : sequence of str or None

        Returns
        -------
        CombatModel

        Raises
        ------
        InvalidInputError
            The data cannot be harmonised; the sentence says why and what to do.
        """
        method = method_of(self.method)
        given = prepare(features, batch, names)
        reviewed = review(given, covariates, self.limits)
        refuse_failures(reviewed.findings)
        reference = self._reference_index(given.batches)
        encoding = CovariateEncoding.fit(covariates)
        selection = select(given, self.log_features, reviewed.left_out)
        left_out, is_log = dict(selection.left_out), selection.is_log
        fit = regress(
            on_scale(given.matrix, selection),
            given.batch_index,
            len(given.batches),
            encoding.encode(covariates, len(given.matrix)),
        )
        fit, kept = _drop_degenerate(fit, selection.used, given, left_out)
        estimates = _estimate(fit, method, reference)
        return CombatModel(
            method=self.method,
            feature_names=given.names,
            excluded=tuple((n, left_out[n]) for n in given.names if n in left_out),
            log_features=tuple(given.names[j] for j in kept[is_log[kept]]),
            batches=given.batches,
            batch_sizes=tuple(int(n) for n in fit.batch_sizes),
            reference_batch=self.reference_batch,
            encoding=encoding,
            slope=fit.slope,
            **estimates,
        )

    def _reference_index(self, batches: tuple[str, ...]) -> int | None:
        if self.reference_batch is None:
            return None
        if self.reference_batch not in batches:
            raise InvalidInputError(
                f"reference batch: expected one of {list(batches)}, got {self.reference_batch!r}"
            )
        return batches.index(self.reference_batch)


def _drop_degenerate(
    fit: BatchRegression, used: NDArray[np.intp], given: Prepared, left_out: dict[str, str]
) -> tuple[BatchRegression, NDArray[np.intp]]:
    """Leave out features without a residual in some batch, or not determined for missing values."""
    size = fit.n_observed * fit.batch_effect**2 + fit.residual_ss.sum(axis=0)
    has_residual = (fit.residual_ss > _ROUNDING * size).all(axis=0)
    for j, fine, known in zip(used, has_residual, fit.is_identified, strict=True):
        if not known:
            left_out[given.names[j]] = "harmonise.not_determined"
        elif not fine:
            left_out[given.names[j]] = "harmonise.no_residual_in_batch"
    keep = has_residual & fit.is_identified
    if keep.all():
        return fit, used
    return (
        BatchRegression(
            fit.batch_effect[:, keep],
            fit.slope[:, keep],
            fit.residual_ss[:, keep],
            fit.n_observed[:, keep],
            fit.batch_sizes,
            fit.is_identified[keep],
            fit.has_missing,
        ),
        used[keep],
    )


def _estimate(fit: BatchRegression, method: Method, reference: int | None) -> dict[str, FloatArray]:
    """All estimates from the sums of the regression."""
    n_features = fit.batch_effect.shape[1]
    needed = 1 if method.prior == "none" else 2
    if n_features < needed:
        raise InvalidInputError(
            f"{n_features} features can be harmonised, {needed} are needed: empirical Bayes "
            "borrows strength across features; use combat_no_eb or more features"
            if n_features
            else "no feature can be harmonised: each one is constant, infinite or too incomplete"
        )
    grand_mean = (
        fit.batch_sizes / fit.batch_sizes.sum() @ fit.batch_effect
        if reference is None
        else fit.batch_effect[reference]
    )
    pooled = _pooled_variance(fit, reference)
    ss = fit.residual_ss / pooled
    gamma_hat = (fit.batch_effect - grand_mean) / np.sqrt(pooled)
    delta_hat = np.ones_like(ss) if method.mean_only else ss / (fit.n_observed - 1)
    gamma_star, delta_star = _shrink(gamma_hat, delta_hat, ss, fit.n_observed, method)
    if reference is not None:
        gamma_star[reference], delta_star[reference] = 0.0, 1.0
    return {
        "grand_mean": grand_mean,
        "pooled_variance": pooled,
        "gamma_hat": gamma_hat,
        "delta_hat": delta_hat,
        "gamma_star": gamma_star,
        "delta_star": delta_star,
    }


def _pooled_variance(fit: BatchRegression, reference: int | None) -> FloatArray:
    """Residual variance of all rows or of the reference; with n - 1 only if values are missing."""
    rows = slice(None) if reference is None else slice(reference, reference + 1)
    ss = fit.residual_ss[rows].sum(axis=0)
    if fit.has_missing:
        pooled: FloatArray = ss / (fit.n_observed[rows].sum(axis=0) - 1)
    else:
        pooled = ss / fit.batch_sizes[rows].sum()
    return pooled


def _shrink(
    gamma_hat: FloatArray, delta_hat: FloatArray, ss: FloatArray, n: FloatArray, method: Method
) -> tuple[FloatArray, FloatArray]:
    """Apply the prior batch by batch, ``(n_batches, n_features)``."""
    gamma_star, delta_star = gamma_hat.copy(), delta_hat.copy()
    if method.prior == "none":
        return gamma_star, delta_star
    for b in range(len(gamma_hat)):
        if method.prior == "nonparametric":
            found = shrink_nonparametric(gamma_hat[b], delta_hat[b], ss[b], n[b])
        elif method.mean_only:
            found = posterior_mean(gamma_hat[b], 1.0, 1.0), delta_hat[b]
        else:
            found = shrink_parametric(gamma_hat[b], delta_hat[b], ss[b], n[b])
        gamma_star[b], delta_star[b] = found
    return gamma_star, delta_star
