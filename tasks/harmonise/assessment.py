"""How much of a feature the batch explains, before and after harmonisation.

The numbers after harmonisation are small by construction on the rows a model was fitted on: they
show that it worked as told, not that biology is comparable. Judge that on rows it never saw.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from schemas.geometry import FloatArray


def kruskal_wallis(
    values: FloatArray, batch: Sequence[str]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Kruskal-Wallis test of all features at once.

    Parameters
    ----------
    values : ndarray, (n_rows, n_features), float64
        NaN where missing.
    batch : sequence of str, (n_rows,)

    Returns
    -------
    h, p, epsilon2 : ndarray, (n_features,), float64
        Statistic corrected for ties, its chi-squared probability, and the effect size
        ``h / (n - 1)``; NaN where a feature has no variation or fewer than two batches.

    References
    ----------
    Kruskal WH, Wallis WA. J Am Stat Assoc 1952;47:583.
    Tomczak M, Tomczak E. Trends Sport Sci 2014;1:19 (epsilon squared).

    Examples
    --------
    >>> h, p, epsilon2 = kruskal_wallis(np.array([[1.0], [2.0], [3.0], [4.0]]), "AABB")
    >>> round(float(h[0]), 6), round(float(epsilon2[0]), 6)
    (2.4, 0.8)
    """
    ranks = stats.rankdata(values, axis=0, nan_policy="omit")
    sums, counts = _batch_sums(ranks, batch)
    n = counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.where(counts > 0, sums**2 / counts, 0.0).sum(axis=0)
        spread = np.nansum((ranks - (n + 1) / 2) ** 2, axis=0)
        # (n - 1) SS_between / SS_total of the ranks: H with its tie correction in one
        between = squares - n * (n + 1) ** 2 / 4
        degrees = (counts > 0).sum(axis=0) - 1
        h = np.where((spread > 0) & (degrees > 0), (n - 1) * between / spread, np.nan)
        return h, stats.chi2.sf(h, degrees), h / (n - 1)


def eta_squared(values: FloatArray, batch: Sequence[str]) -> FloatArray:
    """Share of the variance that lies between batches, ``(n_features,)`` float64, 0 to 1.

    NaN where a feature does not vary.
    """
    sums, counts = _batch_sums(values, batch)
    n = counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.sum(axis=0) / n
        total = np.nansum((values - mean) ** 2, axis=0)
        between = np.where(counts > 0, counts * (sums / counts - mean) ** 2, 0.0).sum(axis=0)
        share: FloatArray = np.where(total > 0, between / total, np.nan)
    return share


def compare(
    before: FloatArray, after: FloatArray, batch: Sequence[str], names: Sequence[str]
) -> pa.Table:
    """Return one row per feature: effect of the batch before and after.

    Parameters
    ----------
    before, after : ndarray, (n_rows, n_features), float64
    batch : sequence of str, (n_rows,)
    names : sequence of str, (n_features,)

    Returns
    -------
    pyarrow.Table
        ``feature, n_rows, p_before, p_after, epsilon2_before, epsilon2_after, eta2_before,
        eta2_after``.
    """
    columns: dict[str, object] = {
        "feature": list(names),
        "n_rows": np.sum(~np.isnan(before), axis=0),
    }
    measured = {}
    for label, values in (("before", before), ("after", after)):
        _, p, epsilon2 = kruskal_wallis(values, batch)
        measured[label] = {"p": p, "epsilon2": epsilon2, "eta2": eta_squared(values, batch)}
    for measure in ("p", "epsilon2", "eta2"):
        for label in ("before", "after"):
            columns[f"{measure}_{label}"] = pa.array(measured[label][measure], from_pandas=True)
    return pa.table(columns)


def _batch_sums(values: FloatArray, batch: Sequence[str]) -> tuple[FloatArray, NDArray[np.float64]]:
    """Return sums and counts of what is not missing, ``(n_batches, n_features)``."""
    levels, index = np.unique(np.array([str(b) for b in batch]), return_inverse=True)
    indicators = np.eye(len(levels))[index].T
    return indicators @ np.nan_to_num(values, nan=0.0), indicators @ ~np.isnan(values)
