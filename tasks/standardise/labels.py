"""Resampling of masks and label maps between any two grids in patient space."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from schemas.geometry import Geometry
from tasks.standardise.grid import crop_grid, image_of
from tasks.standardise.resample import resample

Labels = NDArray[np.unsignedinteger[Any]]


def resample_mask(labels: Labels, from_geometry: Geometry, to_geometry: Geometry) -> Labels:
    """Resample a mask or label map; a voxel gets the label that fills at least half of it.

    Linear interpolation of each label, then 0.5 as limit, as in the IBSI manual; where two labels
    reach it, the one with more wins, then the smaller number.

    Parameters
    ----------
    labels : ndarray, (z, y, x), uint8 or uint16
        0 is background.

    Returns
    -------
    ndarray, (z, y, x), dtype of `labels`
        On `to_geometry`.

    References
    ----------
    IBSI reference manual, section 2.4 (interpolation of ROI masks).
    """
    result = np.zeros(to_geometry.shape, dtype=labels.dtype)
    best = np.zeros(to_geometry.shape, dtype=np.float32)
    boxes: list[tuple[slice, ...] | None] = [*find_objects(labels.astype(np.int32))]
    for number, box in enumerate(boxes, start=1):
        if box is None:
            continue
        source = _grown(box, labels.shape)
        target = image_of(crop_grid(from_geometry, source), to_geometry)
        if target is None:
            continue
        share = resample(
            (labels[source] == number).astype(np.float32),
            crop_grid(from_geometry, source),
            crop_grid(to_geometry, target),
            order=1,
            fill=0.0,
        )
        wins = (share >= 0.5 - 1e-5) & (share > best[target])
        result[target][wins] = number
        best[target][wins] = share[wins]
    return result


def _grown(box: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    z, y, x = (
        slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(box, shape, strict=True)
    )
    return z, y, x
