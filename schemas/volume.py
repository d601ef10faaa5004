"""Volumes in memory: what tasks make and take, and what the lake stores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry

#: JSON-able metadata stored with a volume; nothing in it identifies a person.
Attributes = dict[str, object]


@dataclass(frozen=True, eq=False)
class RawVolume:
    """A volume as acquired: stored integers and what turns them into quantities.

    Parameters
    ----------
    stored : ndarray, (z, y, x), int16, uint16, uint8 or int32
        Exactly the stored pixel values of the DICOM.
    rescale_slope, rescale_intercept : ndarray, (z,), float64
        ``U = stored * slope + intercept``, slice by slice.
    geometry : Geometry
        Slices ascend along the normal (row direction x column direction).
    value_unit : str
        Unit of U: ``Bq/ml``, ``CNTS``, ``HU``, ``SUVbw``, ``1`` ...
    suv_factor : ndarray, (z,), float64, or None
        ``SUVbw = U * suv_factor``, slice by slice; None where SUV was refused or does not apply.
    attributes : dict
        Everything else that a reader of the array alone needs.
    """

    stored: NDArray[np.integer[Any]]
    rescale_slope: FloatArray
    rescale_intercept: FloatArray
    geometry: Geometry
    value_unit: str
    suv_factor: FloatArray | None = None
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = self.stored.shape[0] if self.stored.ndim == 3 else -1
        if tuple(self.stored.shape) != tuple(self.geometry.shape):
            raise ValueError(f"array {self.stored.shape} does not fit grid {self.geometry.shape}")
        for name in ("rescale_slope", "rescale_intercept", "suv_factor"):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                raise ValueError(f"{name}: expected shape ({n},), got {values.shape}")

    def values(self) -> NDArray[np.float32]:
        """``U`` as (z, y, x) float32 in `value_unit`."""
        slope = self.rescale_slope[:, None, None]
        return np.asarray(
            self.stored * slope + self.rescale_intercept[:, None, None], dtype=np.float32
        )

    def quantified(self) -> ImageVolume:
        """SUVbw where a factor exists, otherwise ``U`` in its own unit."""
        values, unit = self.values(), self.value_unit
        if self.suv_factor is not None:
            values = (values * self.suv_factor[:, None, None]).astype(np.float32)
            unit = "SUVbw"
        return ImageVolume(values, self.geometry, unit, dict(self.attributes))


@dataclass(frozen=True, eq=False)
class ImageVolume:
    """A quantified volume: (z, y, x) float32 in `value_unit` on `geometry`."""

    values: NDArray[np.float32]
    geometry: Geometry
    value_unit: str
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        if tuple(self.values.shape) != tuple(self.geometry.shape):
            raise ValueError(f"array {self.values.shape} does not fit grid {self.geometry.shape}")

    def with_values(self, values: NDArray[np.float32]) -> ImageVolume:
        """Return the same volume with other values on the same grid."""
        return replace(self, values=values)


@dataclass(frozen=True, eq=False)
class MaskVolume:
    """A mask or label map: (z, y, x) uint8 or uint16 on `geometry`; 0 is background."""

    labels: NDArray[np.unsignedinteger[Any]]
    geometry: Geometry
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        if tuple(self.labels.shape) != tuple(self.geometry.shape):
            raise ValueError(f"array {self.labels.shape} does not fit grid {self.geometry.shape}")
