"""Where voxels come from: box by box, so that a volume need not be in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray, Geometry
from schemas.volume import ImageVolume, RawVolume

Values = NDArray[np.float32]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class VoxelSource:
    """A volume that is read in boxes.

    Parameters
    ----------
    geometry : Geometry
        Of the whole.
    read : callable
        Box (z, y, x slices with start and stop) to its values, (z, y, x) float32.
    piece : tuple of int
        Planes along z, y and x that are cheap to read together.
    """

    geometry: Geometry
    read: Callable[[Box], Values]
    piece: tuple[int, int, int] = (64, 64, 64)


def source_of(values: Values, geometry: Geometry) -> VoxelSource:
    """Source of values that are in memory."""
    array = np.asarray(values, dtype=np.float32)
    return VoxelSource(geometry, lambda box: np.asarray(array[box]))


def quantified_source(
    geometry: Geometry,
    stored: Callable[[Box], NDArray[np.number]],
    lines: tuple[FloatArray, FloatArray, FloatArray | None],
    piece: tuple[int, int, int] = (64, 64, 64),
) -> VoxelSource:
    """Source of quantities from stored integers.

    Parameters
    ----------
    stored : callable
        Box to the stored values.
    lines : tuple of ndarray, (z,), float64
        Rescale slope, rescale intercept and SUV factor (None: the unit stays) of each slice.
    """
    slopes, intercepts, factors = lines
    factor = np.ones(len(slopes)) if factors is None else factors
    slope = (slopes * factor).astype(np.float32)
    intercept = (intercepts * factor).astype(np.float32)

    def read(box: Box) -> Values:
        planes = stored(box)
        values = np.empty(planes.shape, dtype=np.float32)
        # slice by slice, so that no larger copy is made
        for z, plane in enumerate(planes):
            np.multiply(plane, slope[box[0]][z], out=values[z], dtype=np.float32)
            if intercept[box[0]][z] != 0:
                values[z] += intercept[box[0]][z]
        return values

    return VoxelSource(geometry, read, piece)


def divided(source: VoxelSource, by: float) -> VoxelSource:
    """Source of the same values divided by a number."""
    factor = np.float32(1.0 / by)
    return VoxelSource(source.geometry, lambda box: source.read(box) * factor, source.piece)


def volume_source(volume: ImageVolume | RawVolume) -> tuple[VoxelSource, str]:
    """Source of a volume in memory, quantified, and its unit: SUVbw where a factor exists."""
    if isinstance(volume, ImageVolume):
        return source_of(volume.values, volume.geometry), volume.value_unit
    array = volume.stored
    lines = (volume.rescale_slope, volume.rescale_intercept, volume.suv_factor)
    source = quantified_source(volume.geometry, lambda box: array[box], lines)
    return source, volume.value_unit if volume.suv_factor is None else "SUVbw"
