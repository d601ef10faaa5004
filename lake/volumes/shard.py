"""One array as one shard: the bytes that Zarr's sharding codec writes, made in one pass.

Zarr's own writer takes 1.6 times as long as the compression alone (measured on 24 MB of int16),
because every chunk passes through its event loop. The layout is fixed here, so it is written
directly; reading, and the array's metadata, stay with Zarr.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from lake.volumes.group import bytes_codec, little_endian

_EMPTY: Final = np.uint64(2**64 - 1)
#: Measured: zstd takes 0.75 of its time with Blosc's own choice, LZ4 a little less than with it.
_BLOCK_BYTES: Final = 256 * 1024
_LEVEL: Final = 1
#: A chunk that shrinks to less than this share of its size may be empty; below the number of bytes,
#: any chunk may.
_EMPTY_SHARE: Final = 1 / 50
_SMALL_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Compressor:
    """Blosc with bitshuffle, by the element size.

    Parameters
    ----------
    name : str
        Blosc's name of the algorithm.
    """

    name: str

    def codec(self, dtype: np.dtype[Any]) -> dict[str, object]:
        """Metadata of the codec."""
        settings = {
            "typesize": dtype.itemsize,
            "cname": self.name,
            "clevel": _LEVEL,
            "shuffle": "bitshuffle",
            "blocksize": _BLOCK_BYTES,
        }
        return {"name": "blosc", "configuration": settings}

    def compress(self, chunk: NDArray[Any]) -> bytes:
        """Compress a contiguous chunk; nothing if all its bytes are zero."""
        packed: bytes = blosc.compress(
            chunk, self.name.encode(), _LEVEL, blosc.BITSHUFFLE, blocksize=_BLOCK_BYTES,
            typesize=chunk.itemsize,
        )  # fmt: skip
        is_suspect = chunk.nbytes < _SMALL_BYTES or len(packed) < chunk.nbytes * _EMPTY_SHARE
        # by bytes, not by value: minus zero equals zero and must come back as it was
        if is_suspect and not chunk.reshape(-1).view(np.uint8).any():
            return b""
        return packed


#: Three times as fast as `SMALL` at 1.05 to 1.3 times the size: for what is written every night.
FAST: Final = Compressor("lz4")
SMALL: Final = Compressor("zstd")


def sharding_codec(
    chunk_shape: tuple[int, ...], dtype: np.dtype[Any], compressor: Compressor
) -> dict[str, object]:
    """Metadata of the codec whose bytes `encode` makes."""
    settings = {
        "chunk_shape": list(chunk_shape),
        "codecs": [bytes_codec(dtype), compressor.codec(dtype)],
        "index_codecs": [bytes_codec(np.dtype("<u8")), {"name": "crc32c"}],
        "index_location": "start",
    }
    return {"name": "sharding_indexed", "configuration": settings}


def encode(
    values: NDArray[Any], chunk_shape: tuple[int, ...], compressor: Compressor
) -> list[bytes]:
    """Encode an array as a shard with its index at the start.

    Parameters
    ----------
    values : ndarray
        Any number of dims; little-endian bytes are written.
    chunk_shape : tuple of int
        Inner chunks; those at the ends are filled up with zeros.
    compressor : Compressor
        Of the chunks.

    Returns
    -------
    list of bytes
        Index (offset and length of every chunk, uint64, little-endian, with CRC-32C), then the
        chunks: to be written one after the other. A chunk of zeros only has no bytes.

    References
    ----------
    Zarr enhancement proposal 2, "sharding codec".
    """
    encoded = [compressor.compress(chunk) for chunk in _chunks(little_endian(values), chunk_shape)]
    lengths = np.array([len(chunk) for chunk in encoded], dtype=np.uint64)
    header = 16 * len(encoded) + 4
    starts = header + np.cumsum(lengths) - lengths
    index = np.stack([starts, lengths], axis=1).astype("<u8")
    index[lengths == 0] = _EMPTY
    table = index.tobytes()
    checksum = int(google_crc32c.value(table)).to_bytes(4, "little")
    return [table, checksum, *encoded]


def _chunks(values: NDArray[Any], shape: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    """Contiguous chunks in C order, each valid until the next one is asked for."""
    grid = tuple(-(-n // c) for n, c in zip(values.shape, shape, strict=True))
    chunk = np.empty(shape, values.dtype)
    for position in np.ndindex(*grid):
        part = values[
            tuple(slice(i * c, (i + 1) * c) for i, c in zip(position, shape, strict=True))
        ]
        if part.shape != shape:
            chunk[...] = 0
        chunk[tuple(slice(n) for n in part.shape)] = part
        yield chunk
