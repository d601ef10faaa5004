"""How a volume lies on disk: names, chunks, codecs and the arrays of a group.

One group per volume, one shard per volume array (few files, few objects), inner chunks near 64^3
so that a lesion or a training patch costs few reads. The index of the shard is at its start: some
object stores refuse reads that count from the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lake.volumes import shard
from lake.volumes.group import GroupWriter, bytes_codec, little_endian
from schemas.geometry import Geometry

#: Version of this layout, in the attributes of every volume.
LAYOUT: Final = 2
DIMS: Final = ("z", "y", "x")
DIMS_4D: Final = ("t", *DIMS)
CHUNK: Final = 64
#: Frames and edge of a chunk of a 4-D volume: as many values as 64^3, and a curve over time costs
#: few reads.
_FRAMES_4D, _EDGE_4D = 8, 32

#: Name of the volume array by zone.
ARRAY_NAME: Final = {"raw": "stored", "standard": "0", "parametric": "0", "mask": "labels"}


def relative_path(zone: str, series_uid: str, volume_id: str) -> str:
    """``zone/series_uid/volume_id.zarr``, relative to the root of the volumes."""
    return f"{zone}/{series_uid}/{volume_id}.zarr"


def chunk_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Inner chunks near 64^3 that divide the volume evenly, so that little padding is compressed.

    Examples
    --------
    >>> chunk_shape((300, 200, 512)), chunk_shape((24, 300, 200, 512))
    ((60, 67, 64), (8, 34, 34, 32))
    """
    edges = (CHUNK,) * 3 if len(shape) == 3 else (_FRAMES_4D, *(_EDGE_4D,) * 3)
    return tuple(-(-n // max(1, round(n / c))) for n, c in zip(shape, edges, strict=True))


def shard_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Round the shape up to whole chunks: one shard that holds the volume.

    Examples
    --------
    >>> shard_shape((300, 200, 512))
    (300, 201, 512)
    """
    return tuple(-(-n // c) * c for n, c in zip(shape, chunk_shape(shape), strict=True))


def add_volume_array(
    group: GroupWriter,
    name: str,
    values: NDArray[Any],
    attributes: Mapping[str, object],
    *,
    compressor: shard.Compressor = shard.SMALL,
) -> None:
    """Write the one large array of a level, (z, y, x) or (t, z, y, x), as one shard."""
    inner = chunk_shape(values.shape)
    group.add_array(
        name,
        values,
        chunk_shape=shard_shape(values.shape),
        codecs=[shard.sharding_codec(inner, values.dtype, compressor)],
        dimensions=dimensions(values),
        attributes=attributes,
        chunk=shard.encode(values, inner, compressor),
    )


@contextmanager
def open_volume_array(
    group: GroupWriter,
    name: str,
    shape: tuple[int, int, int],
    attributes: Mapping[str, object],
    *,
    compressor: shard.Compressor = shard.SMALL,
) -> Iterator[Callable[[NDArray[np.float32]], None]]:
    """Write a float32 array (z, y, x) as `add_volume_array` does, from rows as they come.

    Yields
    ------
    callable
        Takes the next rows (n, y, x), any number of them.
    """
    inner, dtype = chunk_shape(shape), np.dtype(np.float32)
    encoder = shard.Encoder(shape, inner, compressor)
    row = np.empty((inner[0], *shape[1:]), dtype)
    with group.open_array(
        name,
        shape,
        dtype,
        chunk_shape=shard_shape(shape),
        codecs=[shard.sharding_codec(inner, dtype, compressor)],
        dimensions=DIMS,
        attributes=attributes,
    ) as write:
        filled = 0

        def add(rows: NDArray[np.float32]) -> None:
            nonlocal filled
            while len(rows):
                part, rows = np.split(rows, [inner[0] - filled])
                row[filled : filled + len(part)] = part
                filled += len(part)
                if filled == inner[0]:
                    write(encoder.rows(row))
                    filled = 0

        yield add
        if filled:
            write(encoder.rows(row[:filled]))
        write([encoder.index()])


def dimensions(values: NDArray[Any]) -> tuple[str, ...]:
    """Names of the dimensions of a volume array."""
    return DIMS if values.ndim == 3 else DIMS_4D


def add_line(
    group: GroupWriter,
    name: str,
    values: NDArray[np.float64],
    dimensions: str | tuple[str, ...],
    **attributes: object,
) -> None:
    """Write a float64 array along one dimension or two, uncompressed in one chunk."""
    group.add_array(
        name,
        values,
        chunk_shape=values.shape,
        codecs=[bytes_codec(values.dtype)],
        dimensions=(dimensions,) if isinstance(dimensions, str) else dimensions,
        attributes=attributes,
        chunk=[(0, little_endian(values).tobytes())],
    )


def add_coordinates(group: GroupWriter, geometry: Geometry) -> None:
    """Write ``z``, ``y``, ``x`` in mm, so that any reader gets a labelled array."""
    frame = "patient LPS" if geometry.is_axial else "distance from the first voxel"
    for name, values in zip(DIMS, geometry.axis_coordinates(), strict=True):
        add_line(group, name, values, name, units="mm", long_name=f"{name}, {frame}")


def geometry_attributes(geometry: Geometry) -> dict[str, object]:
    """Affine (index x, y, z, 1 to LPS mm) and voxel size (z, y, x) in mm."""
    return {
        "affine_lps": [[float(v) for v in row] for row in geometry.affine],
        "spacing_mm": [float(v) for v in geometry.spacing],
    }
