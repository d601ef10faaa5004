"""Reading raw volumes in parts: what a volume larger than memory needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from lake.volumes import stores
from lake.volumes.frames import frames_of, part_of
from lake.volumes.layout import chunk_shape
from lake.volumes.read import attributes_of, description, geometry_of, open_array, read_line
from schemas.errors import InvalidInputError, StorageError
from schemas.geometry import FloatArray, Geometry
from schemas.volume import Attributes, Part


@dataclass(frozen=True, eq=False)
class RawSlabs:
    """A raw 3-D volume that lies on disk; the fields are those of `RawVolume`.

    Parameters
    ----------
    chunk : tuple of int
        Voxels (z, y, x) that are stored together.
    """

    geometry: Geometry
    rescale_slope: FloatArray
    rescale_intercept: FloatArray
    suv_factor: FloatArray | None
    value_unit: str
    attributes: Attributes
    part: Part
    chunk: tuple[int, int, int]
    _array: zarr.Array
    _path: str

    def stored(self, box: tuple[slice, slice, slice]) -> NDArray[Any]:
        """Read the stored values of a box (z, y, x slices with start and stop).

        Raises
        ------
        StorageError
            If a chunk is damaged.
        """
        try:
            return np.asarray(self._array[box])
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise StorageError(
                f"volume {self._path} cannot be read ({type(error).__name__}); run verify on the "
                "lake and ingest the series again"
            ) from error


def open_raw(root: str, path: str) -> RawSlabs:
    """Open a volume of the raw zone without reading its voxels.

    Parameters
    ----------
    root, path : str
        As in `read_raw`, which has the same errors.

    Raises
    ------
    InvalidInputError
        For a volume with frames.
    """
    group = stores.open_group(root, path)
    about = description(group, path, "raw")
    if frames_of(about) is not None:
        raise InvalidInputError(f"volume {path} has frames; take a frame of it")
    array = open_array(group, "stored", path)
    z, y, x = chunk_shape(array.shape)
    return RawSlabs(
        geometry=geometry_of(group, about, "raw"),
        rescale_slope=read_line(group, "rescale_slope", path),
        rescale_intercept=read_line(group, "rescale_intercept", path),
        suv_factor=read_line(group, "suv_factor", path) if "suv_factor" in group else None,
        value_unit=str(about["value_unit"]),
        attributes=attributes_of(about),
        part=part_of(about),
        chunk=(z, y, x),
        _array=array,
        _path=path,
    )
