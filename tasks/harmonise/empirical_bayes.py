"""Batch shifts and scales, and their shrinkage across features.

Every function works on one batch and all features at once: 1-D arrays ``(n_features,)`` of the
standardised shift ``gamma_hat``, the standardised variance ``delta_hat``, the standardised residual
sum of squares ``ss`` and the number of values ``n``.

References
----------
Johnson WE, Li C, Rabinovic A. Biostatistics 2007;8:118, section 3. Where the paper leaves a choice
(stopping rule, variances of the priors with n - 1) we follow R sva 3.46, whose results these are.
"""

from __future__ import annotations

import numpy as np

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray

#: sva's ``conv``.
_TOLERANCE = 1e-4
_MOST_ITERATIONS = 100_000

#: Numbers in one block of the features x features likelihood (16 MB).
_BLOCK = 1 << 21


def posterior_mean(
    gamma_hat: FloatArray, n: FloatArray | float, delta: FloatArray | float
) -> FloatArray:
    """Mean of the shift given its normal prior (moments over features).

    Parameters
    ----------
    gamma_hat : ndarray, (n_features,), float64
    n, delta : ndarray or float
        Number of values, and variance, per feature.
    """
    centre, spread = gamma_hat.mean(), gamma_hat.var(ddof=1)
    out: FloatArray = (spread * n * gamma_hat + delta * centre) / (spread * n + delta)
    return out


def shrink_parametric(
    gamma_hat: FloatArray, delta_hat: FloatArray, ss: FloatArray, n: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Posterior shift and variance with a normal and an inverse gamma prior.

    Returns
    -------
    gamma_star, delta_star : ndarray, (n_features,), float64

    Raises
    ------
    InvalidInputError
        The iteration does not settle (never seen with finite input).
    """
    centre, spread = delta_hat.mean(), delta_hat.var(ddof=1)
    if spread == 0:  # a prior without width: every variance is the common one
        return posterior_mean(gamma_hat, n, delta_hat), delta_hat.copy()
    shape = (2 * spread + centre**2) / spread
    scale = (centre * spread + centre**3) / spread
    gamma, delta = gamma_hat, delta_hat
    for _ in range(_MOST_ITERATIONS):
        new_gamma = posterior_mean(gamma_hat, n, delta)
        sum_of_squares = ss + n * (gamma_hat - new_gamma) ** 2
        new_delta = (0.5 * sum_of_squares + scale) / (n / 2 + shape - 1)
        change = max(_change(new_gamma, gamma), _change(new_delta, delta))
        gamma, delta = new_gamma, new_delta
        if change <= _TOLERANCE:
            return gamma, delta
    raise InvalidInputError(
        "the empirical Bayes iteration did not converge; use combat_nonparametric or combat_no_eb"
    )


def _change(new: FloatArray, old: FloatArray) -> float:
    """Largest relative change; divided by the signed old value, as sva does."""
    step = np.abs(new - old)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(step == 0, 0.0, step / old)
    return float(relative.max())


def shrink_nonparametric(
    gamma_hat: FloatArray, delta_hat: FloatArray, ss: FloatArray, n: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Average of all other features' shifts and variances, weighted by their likelihood.

    Weights are formed from log likelihoods relative to the largest one, so that large batches do
    not underflow to 0/0 as they do in sva.

    Returns
    -------
    gamma_star, delta_star : ndarray, (n_features,), float64
    """
    n_features = gamma_hat.size
    gamma_star, delta_star = np.empty(n_features), np.empty(n_features)
    log_variance = np.log(2 * np.pi * delta_hat)
    step = max(1, _BLOCK // n_features)
    for start in range(0, n_features, step):
        own = np.arange(start, min(start + step, n_features))
        count = n[own, None]
        squares = ss[own, None] + count * (gamma_hat[own, None] - gamma_hat) ** 2
        log_likelihood = -0.5 * (count * log_variance + squares / delta_hat)
        log_likelihood[own - start, own] = -np.inf  # a feature is no prior of itself
        weight = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
        total = weight.sum(axis=1)
        gamma_star[own] = weight @ gamma_hat / total
        delta_star[own] = weight @ delta_hat / total
    return gamma_star, delta_star
