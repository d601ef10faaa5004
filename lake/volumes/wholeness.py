"""Whether the chunks of a stored array are all there, looked at before anything decodes them.

Blosc believes the length in the first bytes of a chunk. One that was cut off, or whose first bytes
are damaged, makes it read beyond the chunk, which may end the process.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import ShardingCodec

from lake.volumes.shard import EMPTY
from schemas.errors import StorageError

#: Bytes after decoding, block size, bytes of the chunk itself (c-blosc 1, README_HEADER.rst).
_HEADER = struct.Struct("<4xIII")


def require_whole(folder: Path, array: zarr.Array) -> None:
    """Refuse an array whose one shard does not hold what its index promises.

    Parameters
    ----------
    folder : Path
        Of the array.
    array : zarr.Array
        As opened; arrays that are not one shard of Blosc chunks are left to Zarr.

    Raises
    ------
    StorageError
        If the shard is cut off, or a chunk is not as long as it says itself.
    """
    (codec, *_) = array.metadata.codecs
    if not isinstance(codec, ShardingCodec):
        return
    shard = folder.joinpath("c", *["0"] * len(array.shape))
    decoded = math.prod(codec.chunk_shape) * array.dtype.itemsize
    n_chunks = math.prod(-(-n // c) for n, c in zip(array.shape, codec.chunk_shape, strict=True))
    try:
        with shard.open("rb", buffering=0) as stream:
            is_whole = _is_whole(stream.fileno(), n_chunks, decoded)
    except FileNotFoundError:
        is_whole = False
    if not is_whole:
        raise StorageError(f"array {array.name} is cut off or damaged")


def _is_whole(file: int, n_chunks: int, decoded: int) -> bool:
    table = os.pread(file, 16 * n_chunks, 0)
    if len(table) < 16 * n_chunks:
        return False
    for offset, length in np.frombuffer(table, "<u8").reshape(-1, 2).tolist():
        if offset == length == EMPTY:
            continue
        header = os.pread(file, _HEADER.size, offset) if offset < 2**63 else b""
        if len(header) < _HEADER.size:
            return False
        n_decoded, _, n_bytes = _HEADER.unpack(header)
        if (n_decoded, n_bytes) != (decoded, length):
            return False
        if not os.pread(file, 1, offset + length - 1):  # the last byte of the chunk
            return False
    return True
