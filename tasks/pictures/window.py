"""The range of values that a picture shows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Usual upper end for body PET in SUV.
SUV_WINDOW: Final = 7.0

#: Share of the voxels with uptake that is allowed to saturate where the unit has no usual range.
_PERCENTILE: Final = 99.5


def upper_limit(values: NDArray[Any], value_unit: str) -> float:
    """Return the value shown darkest: 7 for SUV, otherwise a rounded high percentile.

    Parameters
    ----------
    values : ndarray
        Values of the picture.
    value_unit : str
        Their unit.

    Examples
    --------
    >>> upper_limit(np.zeros(4), "SUVbw")
    7.0
    >>> upper_limit(np.full(9, 1234.0), "CNTS")
    1300.0
    """
    if value_unit == "SUVbw":
        return SUV_WINDOW
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return 1.0
    highest = float(np.percentile(positive, _PERCENTILE))
    step = 10.0 ** (np.floor(np.log10(highest)) - 1)
    return float(np.ceil(highest / step) * step)
