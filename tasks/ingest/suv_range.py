"""SUV of one stored unit, so that it can be held against real world value maps in SQL."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.records import Row
from schemas.volume import RawVolume


def suv_per_stored(volumes: Iterable[RawVolume]) -> Row:
    """Smallest and largest SUVbw of one stored unit over all slices and frames of a series.

    Parameters
    ----------
    volumes : iterable of RawVolume
        The volumes of the series.

    Returns
    -------
    dict
        ``suv_per_stored_min`` and ``suv_per_stored_max``, g/ml; empty if no volume has SUV.
    """
    found = [v.rescale_slope * v.suv_factor for v in volumes if v.suv_factor is not None]
    if not found:
        return {}
    return {
        "suv_per_stored_min": min(float(values.min()) for values in found),
        "suv_per_stored_max": max(float(values.max()) for values in found),
    }
