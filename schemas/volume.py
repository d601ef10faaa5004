"""Volumes in memory: what tasks make and take, and what the lake stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry

#: JSON-able metadata stored with a volume; nothing in it identifies a person.
Attributes = dict[str, object]


#: What the first axis of a 4-D volume counts.
FRAME_KINDS: Final = ("time", "gate", "echo", "view", "other")


@dataclass(frozen=True, eq=False)
class FrameAxis:
    """The frames of a 4-D volume: what they are, and when each was measured.

    Parameters
    ----------
    kind : str
        ``time`` (dynamic), ``gate`` (phases of a heart or breathing cycle), ``echo``, ``view``
        (planar images: detectors, energy windows, phases), ``other``.
    n : int
        Number of frames.
    start_s : ndarray, (t,), float64, or None
        Start of each frame: after that of the first one (``time``), or after the trigger (``gate``).
    duration_s : ndarray, (t,), float64, or None
        How long each frame was measured.
    labels : tuple of str
        One word or number a frame where times do not tell them apart, such as echo times; else empty.
    slice_start_s : ndarray, (t, z), float64, or None
        Start of each slice, where the slices of a frame were measured one after the other (beds).
    """

    kind: str
    n: int
    start_s: FloatArray | None = None
    duration_s: FloatArray | None = None
    labels: tuple[str, ...] = ()
    slice_start_s: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.kind not in FRAME_KINDS:
            raise ValueError(f"frame kind {self.kind!r} is none of {', '.join(FRAME_KINDS)}")
        for name in ("start_s", "duration_s"):
            values = getattr(self, name)
            if values is not None and values.shape != (self.n,):
                raise ValueError(f"{name}: expected shape ({self.n},), got {values.shape}")
        if self.labels and len(self.labels) != self.n:
            raise ValueError(f"labels: expected {self.n}, got {len(self.labels)}")


@dataclass(frozen=True, slots=True)
class Part:
    """Which of the volumes of a series one is, where a series holds several.

    Parameters
    ----------
    index : int
        From 1, the largest first.
    label : str or None
        What it is of the series (``acquisition 2``, ``256 x 256``); None if it is all of it.
    """

    index: int = 1
    label: str | None = None


#: The one volume of a series.
WHOLE: Final = Part()


@dataclass(frozen=True, eq=False)
class RawVolume:
    """A volume as acquired: stored values and what turns them into quantities.

    Parameters
    ----------
    stored : ndarray, (z, y, x) or (t, z, y, x), int16, uint16, uint8, int32, float32 or float64
        Exactly the stored pixel values of the DICOM.
    rescale_slope, rescale_intercept : ndarray, (z,) or (t, z), float64
        ``U = stored * slope + intercept``, slice by slice.
    geometry : Geometry
        Slices ascend along the normal (row direction x column direction).
    value_unit : str
        Unit of U: ``Bq/ml``, ``CNTS``, ``HU``, ``SUVbw``, ``1`` ...
    suv_factor : ndarray, (z,) or (t, z), float64, or None
        ``SUVbw = U * suv_factor``, slice by slice; None where SUV was refused or does not apply.
    attributes : dict
        Everything else that a reader of the array alone needs.
    frames : FrameAxis or None
        Of the first axis of a 4-D volume.
    part : Part
        Which of the volumes of its series.
    """

    stored: NDArray[np.number[Any]]
    rescale_slope: FloatArray
    rescale_intercept: FloatArray
    geometry: Geometry
    value_unit: str
    suv_factor: FloatArray | None = None
    attributes: Attributes = field(default_factory=dict)
    frames: FrameAxis | None = None
    part: Part = WHOLE

    def __post_init__(self) -> None:
        grid = tuple(self.geometry.shape)
        expected = grid if self.frames is None else (self.frames.n, *grid)
        if tuple(self.stored.shape) != expected:
            raise ValueError(f"array {self.stored.shape} does not fit grid {expected}")
        for name in ("rescale_slope", "rescale_intercept", "suv_factor"):
            values = getattr(self, name)
            if values is not None and values.shape != expected[:-2]:
                raise ValueError(f"{name}: expected shape {expected[:-2]}, got {values.shape}")

    def values(self) -> NDArray[np.float32]:
        """``U`` as (z, y, x) or (t, z, y, x) float32 in `value_unit`."""
        slope = self.rescale_slope[..., None, None]
        return np.asarray(
            self.stored * slope + self.rescale_intercept[..., None, None], dtype=np.float32
        )

    def quantified(self) -> ImageVolume:
        """SUVbw where a factor exists, otherwise ``U`` in its own unit; 3-D volumes only.

        Raises
        ------
        ValueError
            For a 4-D volume.
        """
        if self.frames is not None:
            raise ValueError("a 4-D volume has no single image; take a frame of it")
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
class ImageBlocks:
    """A quantified volume that is made as it is read: blocks of rows along z, in order, once.

    Parameters
    ----------
    geometry : Geometry
        Of the whole volume.
    value_unit : str
        As of `ImageVolume`.
    blocks : iterator of ndarray, (rows, y, x), float32
        Together all rows.
    attributes : dict
        As of `ImageVolume`.
    """

    geometry: Geometry
    value_unit: str
    blocks: Iterator[NDArray[np.float32]]
    attributes: Attributes = field(default_factory=dict)

    def collected(self) -> ImageVolume:
        """Return the whole volume in memory."""
        values = np.empty(self.geometry.shape, dtype=np.float32)
        done = 0
        for block in self.blocks:
            values[done : done + len(block)] = block
            done += len(block)
        return ImageVolume(values, self.geometry, self.value_unit, self.attributes)


@dataclass(frozen=True, eq=False)
class MaskVolume:
    """A mask or label map: (z, y, x) uint8 or uint16 on `geometry`; 0 is background."""

    labels: NDArray[np.unsignedinteger[Any]]
    geometry: Geometry
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        if tuple(self.labels.shape) != tuple(self.geometry.shape):
            raise ValueError(f"array {self.labels.shape} does not fit grid {self.geometry.shape}")
