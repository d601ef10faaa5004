"""Where the injected activity went: two numbers of a quantified image that catch unit errors."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.records import Row
from schemas.volume import RawVolume

#: The body is what lies above this part of its own mean, whatever the scale of the image.
BODY_FRACTION: Final = 0.2
_ROUNDS: Final = 30
#: Rows and columns between those that the mean is taken over, in large images.
_STRIDE: Final = 2
_LARGE: Final = 64


def mass_balance(volume: RawVolume, weight_kg: object) -> Row:
    """Mean SUV of the body, and the part of the injected activity that the image shows.

    Parameters
    ----------
    volume : RawVolume
        3-D, with SUV factors; others give nothing.
    weight_kg : float or None
        Body weight.

    Returns
    -------
    dict
        Columns ``body_suv_mean`` (g/ml) and ``activity_in_view_percent``; None where not known.

    Notes
    -----
    SUVbw is concentration times weight over decay-corrected activity, so its sum times the volume
    of a voxel (1 ml weighs 1 g) over the weight is the part of the activity inside the image. Over
    a whole body that part over its mass is the mean SUV: near 1, less what was excreted.

    Examples
    --------
    A body of 2 ml with SUV 1.5 in 8 ml of air, of a person of 4 g:

    >>> import numpy as np
    >>> from schemas.geometry import Geometry
    >>> stored = np.zeros((1, 2, 5), dtype=np.int16)
    >>> stored[0, 0, :2] = 3
    >>> box = Geometry((1, 2, 5), np.diag([10.0, 10.0, 10.0, 1.0]))
    >>> image = RawVolume(stored, np.array([500.0]), np.zeros(1), box, "Bq/ml", np.array([1e-3]))
    >>> mass_balance(image, 0.004)
    {'body_suv_mean': 1.5, 'activity_in_view_percent': 75.0}
    """
    if volume.frames is not None or volume.suv_factor is None:
        return {"body_suv_mean": None, "activity_in_view_percent": None}
    scale = volume.rescale_slope * volume.suv_factor
    offset = volume.rescale_intercept * volume.suv_factor
    return {
        "body_suv_mean": _body_mean(_thinned(volume, scale, offset)),
        "activity_in_view_percent": _activity_percent(volume, scale, offset, weight_kg),
    }


def _activity_percent(
    volume: RawVolume, scale: NDArray[np.float64], offset: NDArray[np.float64], weight_kg: object
) -> float | None:
    if not isinstance(weight_kg, (int, float)) or weight_kg <= 0:
        return None
    per_slice = volume.stored.sum(axis=(1, 2), dtype=np.float64)
    n = volume.stored[0].size
    total_g = float((per_slice * scale + n * offset).sum()) * volume.geometry.voxel_volume_ml
    return round(100.0 * total_g / (1000.0 * weight_kg), 3)


def _thinned(
    volume: RawVolume, scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float32]:
    step = _STRIDE if min(volume.stored.shape[1:]) >= _LARGE else 1
    some = volume.stored[:, ::step, ::step].astype(np.float32)
    some *= scale[:, None, None].astype(np.float32)
    some += offset[:, None, None].astype(np.float32)
    return some


def _body_mean(values: NDArray[np.float32]) -> float | None:
    """Mean above a fifth of itself, found by repeating until it stays."""
    above = values[values > 0]
    mean = 0.0
    for _ in range(_ROUNDS):
        if not above.size:
            return None
        found = float(above.mean(dtype=np.float64))
        if abs(found - mean) <= 1e-4 * found:
            break
        mean = found
        above = above[above > BODY_FRACTION * found]
    return round(found, 4)
