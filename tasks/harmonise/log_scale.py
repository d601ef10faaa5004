"""Which features are harmonised on the logarithmic scale.

ComBat assumes that a batch shifts and scales a roughly symmetric distribution. Volumes, energies
and many uptake metrics are positive with a long right tail: there a batch multiplies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray

#: ``"auto"``, all or none of the positive features, or the features by name.
LogFeatures = Literal["auto"] | bool | Sequence[str]

#: Skewness above which "auto" takes logarithms (that of an exponential distribution is 2).
SKEWNESS_LIMIT = 1.0


def within_batch_skewness(values: FloatArray, batch_index: NDArray[np.intp]) -> FloatArray:
    """Skewness of each feature after every batch was brought to mean 0 and variance 1.

    Standardising first keeps a batch effect, which makes a pooled distribution lopsided, from
    looking like skewness.

    Parameters
    ----------
    values : ndarray, (n_rows, n_features), float64
        NaN where missing.
    batch_index : ndarray, (n_rows,)

    Returns
    -------
    ndarray, (n_features,), float64
        0 where a feature does not vary within any batch.
    """
    cubes, n = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for batch in np.unique(batch_index):
        block = values[batch_index == batch]
        count = np.maximum(np.sum(~np.isnan(block), axis=0), 1)
        centred = block - np.nansum(block, axis=0) / count
        scale = np.sqrt(np.nansum(centred**2, axis=0) / count)
        varies = scale > 0
        cubes[varies] += np.nansum((centred[:, varies] / scale[varies]) ** 3, axis=0)
        n[varies] += count[varies]
    return np.divide(cubes, n, out=np.zeros_like(cubes), where=n > 0)


def choose_log_features(
    values: FloatArray, batch_index: NDArray[np.intp], names: Sequence[str], option: LogFeatures
) -> NDArray[np.bool_]:
    """Return which features are to be transformed, ``(n_features,)``.

    Parameters
    ----------
    values : ndarray, (n_rows, n_features), float64
    batch_index : ndarray, (n_rows,)
    names : sequence of str
    option : "auto", bool or sequence of str
        "auto": all values > 0, within-batch skewness > 1, and less skewed after taking logarithms.
        True: all features with values > 0 only. A sequence: exactly these.

    Raises
    ------
    InvalidInputError
        A feature asked for by name does not exist or has values that are not positive.
    """
    with np.errstate(invalid="ignore"):
        positive: NDArray[np.bool_] = ~np.any(values <= 0, axis=0)
    if option is True:
        return positive
    if option is False:
        return np.zeros(len(names), dtype=np.bool_)
    if option == "auto":
        chosen = positive & (within_batch_skewness(values, batch_index) > SKEWNESS_LIMIT)
        if chosen.any():
            before = within_batch_skewness(values[:, chosen], batch_index)
            after = within_batch_skewness(np.log(values[:, chosen]), batch_index)
            chosen[chosen] = np.abs(after) < np.abs(before)
        return chosen
    wanted = np.isin(np.array(names), np.array(option))
    if unknown := sorted(set(option) - set(names)):
        raise InvalidInputError(f"features to transform that do not exist: {unknown}")
    if (wanted & ~positive).any():
        bad = np.array(names)[wanted & ~positive].tolist()
        raise InvalidInputError(f"features with values <= 0 have no logarithm: {bad}")
    return wanted
