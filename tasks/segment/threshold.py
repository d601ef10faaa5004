"""Lesions by a limit of SUV or of a fraction of the maximum."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from schemas.errors import InvalidInputError, RejectedObjectError
from schemas.volume import ImageVolume
from tasks.segment.boxes import Box
from tasks.segment.masks import label_box

_NEIGHBOURS_26: Final = np.ones((3, 3, 3), dtype=np.bool_)
_MOST_COMPONENTS: Final = int(np.iinfo(np.uint16).max)


def fixed_threshold(
    volume: ImageVolume, suv: float, minimum_volume_ml: float = 0.0
) -> NDArray[np.uint16]:
    """Label the connected regions with SUV at or above a limit.

    Parameters
    ----------
    volume : ImageVolume
        In SUVbw.
    suv : float
        Limit, g/ml; such as 4.0 for FDG in lymphoma.
    minimum_volume_ml : float
        Smaller regions are left out.

    Returns
    -------
    ndarray, (z, y, x), uint16
        0 is background, 1 the largest region, and so on.

    Raises
    ------
    InvalidInputError
        The volume is not in SUVbw, or the limit is not positive.
    RejectedObjectError
        More regions than a label map can number.

    References
    ----------
    Barrington SF, Meignan M. J Nucl Med 2019;60:1096 (fixed SUV 4.0 for metabolic volume).
    """
    if volume.value_unit != "SUVbw":
        raise InvalidInputError(
            f"a fixed SUV limit needs a volume in SUVbw, this one is in {volume.value_unit}"
        )
    if not suv > 0:
        raise InvalidInputError(f"the SUV limit must be positive, got {suv}")
    return connected_regions(
        volume.values >= np.float32(suv), volume.geometry.voxel_volume_ml, minimum_volume_ml
    )


def relative_threshold(
    volume: ImageVolume,
    fraction: float,
    box: Box | None = None,
    minimum_volume_ml: float = 0.0,
) -> NDArray[np.uint16]:
    """Label the connected regions at or above a fraction of the maximum inside a box.

    Parameters
    ----------
    volume : ImageVolume
        In any unit.
    fraction : float
        0 to 1, such as 0.41 or 0.5.
    box : tuple of slice, optional
        ``(z, y, x)``; the whole volume by default. Nothing outside it is labelled.
    minimum_volume_ml : float
        Smaller regions are left out.

    Returns
    -------
    ndarray, (z, y, x), uint16
        0 is background, 1 the largest region, and so on. All 0 if nothing in the box is positive.

    Raises
    ------
    InvalidInputError
        The fraction is not in (0, 1].
    RejectedObjectError
        More regions than a label map can number.

    References
    ----------
    Boellaard R et al. Eur J Nucl Med Mol Imaging 2015;42:328 (41 % and 50 % isocontours).
    """
    if not 0 < fraction <= 1:
        raise InvalidInputError(f"the fraction must lie in (0, 1], got {fraction}")
    part = box or (slice(None), slice(None), slice(None))
    values = volume.values[part]
    labels = np.zeros(volume.values.shape, dtype=np.uint16)
    highest = float(np.nanmax(values, initial=0.0)) if values.size else 0.0
    if highest > 0:
        labels[part] = connected_regions(
            values >= fraction * highest, volume.geometry.voxel_volume_ml, minimum_volume_ml
        )
    return labels


def connected_regions(
    mask: NDArray[np.bool_], voxel_volume_ml: float, minimum_volume_ml: float
) -> NDArray[np.uint16]:
    """Label 26-connected regions, the largest first.

    Regions of equal size keep the order (z, y, x) of their first voxel.

    Parameters
    ----------
    mask : ndarray, (z, y, x), bool
        Voxels to group.
    voxel_volume_ml : float
        Volume of one voxel.
    minimum_volume_ml : float
        Regions smaller than this are left out.

    Returns
    -------
    ndarray, (z, y, x), uint16

    Raises
    ------
    RejectedObjectError
        More regions than a label map can number.
    """
    labels = np.zeros(mask.shape, dtype=np.uint16)
    box = label_box(mask)
    if box is None:
        return labels
    found, n = ndimage.label(mask[box], structure=_NEIGHBOURS_26)
    sizes = np.bincount(found.ravel(), minlength=n + 1)[1:]
    labels[box] = _new_numbers(sizes, voxel_volume_ml, minimum_volume_ml)[found]
    return labels


def _new_numbers(
    sizes: NDArray[np.integer[Any]], voxel_volume_ml: float, minimum_volume_ml: float
) -> NDArray[np.uint16]:
    """Map scipy's label (0 included) to the rank by size; 0 for regions left out."""
    large = np.flatnonzero(sizes * voxel_volume_ml >= minimum_volume_ml * (1 - 1e-9))
    if large.size > _MOST_COMPONENTS:
        raise RejectedObjectError(
            "oversized",
            f"{large.size} separate regions (at most {_MOST_COMPONENTS}); "
            "raise the limit or the minimum volume",
        )
    ranked = large[np.argsort(-sizes[large], kind="stable")]
    numbers = np.zeros(sizes.size + 1, dtype=np.uint16)
    numbers[ranked + 1] = np.arange(1, ranked.size + 1, dtype=np.uint16)
    return numbers
