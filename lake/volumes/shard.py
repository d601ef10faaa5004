"""One array as one shard: the bytes that Zarr's sharding codec writes, made in one pass.

Zarr's own writer takes 1.6 times as long as the compression alone (measured on 24 MB of int16),
because every chunk passes through its event loop. The layout is fixed here, so it is written
directly; reading, and the array's metadata, stay with Zarr.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

COMPRESSOR: Final = "zstd"
LEVEL: Final = 1

_EMPTY: Final = np.uint64(2**64 - 1)
_THREADS: Final = min(4, os.cpu_count() or 1)


def encode(values: NDArray[Any], chunk_shape: tuple[int, ...]) -> bytes:
    """Encode an array as a shard with its index at the start.

    Parameters
    ----------
    values : ndarray
        Any number of dims; little-endian bytes are written.
    chunk_shape : tuple of int
        Inner chunks; those at the ends are filled up with zeros.

    Returns
    -------
    bytes
        Index (offset and length of every chunk, uint64, little-endian, with CRC-32C), then the
        chunks. A chunk of zeros only has no bytes.

    References
    ----------
    Zarr enhancement proposal 2, "sharding codec".
    """
    little = np.asarray(values, dtype=values.dtype.newbyteorder("<"))
    grid = tuple(-(-n // c) for n, c in zip(values.shape, chunk_shape, strict=True))
    with ThreadPoolExecutor(_THREADS) as pool:
        encoded = list(pool.map(_compress, _chunks(little, grid, chunk_shape)))
    lengths = np.array([len(chunk) for chunk in encoded], dtype=np.uint64)
    header = 16 * len(encoded) + 4
    starts = header + np.cumsum(lengths) - lengths
    index = np.stack([starts, lengths], axis=1).astype("<u8")
    index[lengths == 0] = _EMPTY
    table = index.tobytes()
    checksum = int(google_crc32c.value(table)).to_bytes(4, "little")
    return b"".join([table, checksum, *encoded])


def _chunks(
    values: NDArray[Any], grid: tuple[int, ...], shape: tuple[int, ...]
) -> Iterator[NDArray[Any]]:
    for position in np.ndindex(*grid):
        part = values[
            tuple(slice(i * c, (i + 1) * c) for i, c in zip(position, shape, strict=True))
        ]
        if part.shape != shape:
            part = np.pad(part, [(0, c - n) for n, c in zip(part.shape, shape, strict=True)])
        yield part


def _compress(chunk: NDArray[Any]) -> bytes:
    contiguous = np.ascontiguousarray(chunk)
    # by bytes, not by value: minus zero equals zero and must come back as it was
    if not contiguous.reshape(-1).view(np.uint8).any():
        return b""
    compressed: bytes = blosc.compress(
        contiguous, COMPRESSOR.encode(), LEVEL, blosc.BITSHUFFLE, typesize=contiguous.itemsize
    )
    return compressed
