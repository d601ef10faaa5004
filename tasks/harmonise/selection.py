"""Which features an engine works on, and on which scale; the same for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from tasks.harmonise.guards import Prepared
from tasks.harmonise.log_scale import LogFeatures, choose_log_features


@dataclass(frozen=True, eq=False)
class Selection:
    """Features to work on.

    Parameters
    ----------
    used : ndarray, (n_used,)
        Columns.
    is_log : ndarray, (n_features,), bool
        For all columns.
    left_out : mapping of feature to rule_id
    """

    used: NDArray[np.intp]
    is_log: NDArray[np.bool_]
    left_out: Mapping[str, str]


def select(given: Prepared, log_features: LogFeatures, left_out: Mapping[str, str]) -> Selection:
    """Leave out what the guards exclude and choose the scale of the others.

    Raises
    ------
    InvalidInputError
        A feature to be transformed does not exist or is not positive.
    """
    used = np.flatnonzero([name not in left_out for name in given.names]).astype(np.intp)
    option = log_features
    if not isinstance(option, (bool, str)):
        if unknown := sorted(set(option) - set(given.names)):
            raise InvalidInputError(f"features to transform that do not exist: {unknown}")
        option = [name for name in option if name not in left_out]
    is_log = np.zeros(len(given.names), dtype=np.bool_)
    if option is not False:
        names = [given.names[j] for j in used]
        is_log[used] = choose_log_features(given.matrix[:, used], given.batch_index, names, option)
    return Selection(used, is_log, left_out)


def on_scale(values: FloatArray, selection: Selection) -> FloatArray:
    """Return the columns to work on, ``(n_rows, n_used)``; a copy only where something changes."""
    used, is_log = selection.used, selection.is_log[selection.used]
    if len(used) == values.shape[1] and not is_log.any():
        return values
    chosen = values[:, used]
    chosen[:, is_log] = np.log(chosen[:, is_log])
    return chosen
