"""Scales of intensity that refer to a region of the same image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidInputError
from schemas.volume import ImageBlocks
from tasks.standardise.source import Values

#: Fewest voxels whose mean is a reference.
_LEAST_VOXELS: Final = 8


class NoReferenceError(InvalidInputError):
    """The region that a scale refers to is not there, or has no scale to give."""

    kind = "no_reference"


@dataclass(frozen=True, slots=True)
class Reference:
    """Intensities of the reference region on the standard grid.

    Parameters
    ----------
    mean, standard_deviation : float
        In the unit of the image.
    n_voxels : int
    """

    mean: float
    standard_deviation: float
    n_voxels: int


def reference_of(values: Values, mask: NDArray[np.bool_]) -> Reference:
    """Describe the reference region.

    Parameters
    ----------
    values, mask : ndarray, (z, y, x)
        Image on the standard grid, and the region.

    Raises
    ------
    NoReferenceError
        It has fewer than 8 finite voxels.

    Examples
    --------
    >>> values = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    >>> reference_of(values, values >= 0).mean
    3.5
    """
    inside = values[mask & np.isfinite(values)].astype(np.float64)
    if inside.size < _LEAST_VOXELS:
        raise NoReferenceError(
            f"the reference region has {inside.size} voxels; at least {_LEAST_VOXELS} are needed"
        )
    return Reference(float(inside.mean()), float(inside.std(ddof=1)), inside.size)


def normalised(
    image: ImageBlocks,
    method: str,
    label: str | None,
    reference: Reference,
    contrast: str | None = None,
) -> ImageBlocks:
    """Bring an image to a scale.

    Parameters
    ----------
    image : ImageBlocks
        On the standard grid.
    method : {"z-score", "ratio", "white-stripe"}
        ``(value - mean) / standard deviation``, or ``value / mean`` for a ratio.
    label : str or None
        Of the reference region, for the attributes.
    reference : Reference
        Of the region, or of the white stripe.
    contrast : str or None
        Weighting that a white stripe was looked for with, for the attributes.

    Returns
    -------
    ImageBlocks
        In unit 1, with ``intensity_normalisation`` in its attributes.

    Raises
    ------
    NoReferenceError
        The region has no spread, or no positive mean.
    """
    shift, scale = (
        (0.0, reference.mean) if method == "ratio"
        else (reference.mean, reference.standard_deviation)
    )  # fmt: skip
    if not (math.isfinite(scale) and scale > 0):
        what = "mean" if method == "ratio" else "standard deviation"
        raise NoReferenceError(f"the {what} of the reference region is {scale:g}")
    about = {
        "method": method, "reference_roi": label, "unit_before": image.value_unit,
        **asdict(reference), **({} if contrast is None else {"contrast": contrast}),
    }  # fmt: skip
    attributes = {**image.attributes, "intensity_normalisation": about}
    return ImageBlocks(image.geometry, "1", _scaled(image, shift, scale), attributes)


def _scaled(image: ImageBlocks, shift: float, scale: float) -> Iterator[Values]:
    for block in image.blocks:
        yield (block - np.float32(shift)) * np.float32(1.0 / scale)
