"""Writing a Zarr group to a folder: metadata and chunks as plain files.

A volume is a dozen small files of fixed form. Zarr's own writer takes about a millisecond for each,
as every one passes through its event loop; here they are written directly. Reading stays with Zarr.
The metadata of all arrays are repeated in the group's own file, so that a reader needs one request
to know the volume.

References
----------
Zarr specification version 3, "group metadata", "array metadata" and "default chunk key encoding".
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Offset in the file, and what is to lie there.
Piece = tuple[int, bytes]

_METADATA_FILE: Final = "zarr.json"
#: Written in one call at most: bytes that fit a processor's cache, pieces that the system takes.
_RUN_BYTES: Final = 2 * 2**20
_RUN_PIECES: Final = 512


class GroupWriter:
    """Writes the arrays of one group, then the group itself.

    Parameters
    ----------
    folder : Path
        Of the group; exists and is empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: dict[str, dict[str, object]] = {}

    def add_array(
        self,
        name: str,
        values: NDArray[Any],
        *,
        chunk_shape: Sequence[int],
        codecs: list[dict[str, object]],
        dimensions: Sequence[str],
        attributes: Mapping[str, object],
        chunk: Iterable[Piece],
    ) -> None:
        """Write an array that is one chunk (or one shard).

        Parameters
        ----------
        name : str
            In the group.
        values : ndarray
            For shape and dtype only.
        chunk_shape : sequence of int
            At least the shape.
        codecs : list of dict
            Metadata of the codecs that encoded the chunk.
        dimensions : sequence of str
            Names.
        attributes : mapping
            JSON-able.
        chunk : iterable of (int, bytes)
            The encoded chunk in pieces, each with its offset; written as they come.
        """
        with self.open_array(
            name, values.shape, values.dtype, chunk_shape=chunk_shape, codecs=codecs,
            dimensions=dimensions, attributes=attributes,
        ) as write:  # fmt: skip
            write(chunk)

    @contextmanager
    def open_array(
        self,
        name: str,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        *,
        chunk_shape: Sequence[int],
        codecs: list[dict[str, object]],
        dimensions: Sequence[str],
        attributes: Mapping[str, object],
    ) -> Iterator[Callable[[Iterable[Piece]], None]]:
        """Write an array whose pieces come in several batches; otherwise as `add_array`.

        Yields
        ------
        callable
            Takes the next pieces.
        """
        about: dict[str, object] = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(shape),
            "data_type": dtype.name,
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": list(chunk_shape)},
            },
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0.0 if dtype.kind == "f" else 0,
            "codecs": codecs,
            "attributes": dict(attributes),
            "dimension_names": list(dimensions),
            "storage_transformers": [],
        }
        self._arrays[name] = about
        place = self._folder.joinpath(name, "c", *["0"] * len(shape))
        place.parent.mkdir(parents=True)
        with place.open("xb", buffering=0) as stream:

            def write(pieces: Iterable[Piece]) -> None:
                for offset, run in _runs(pieces):
                    _write(stream.fileno(), run, offset)

            yield write
        _write_json(self._folder / name / _METADATA_FILE, about)

    def finish(self, attributes: Mapping[str, object]) -> None:
        """Write the group's metadata, with those of its arrays."""
        about = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": dict(attributes),
            "consolidated_metadata": {
                "kind": "inline",
                "must_understand": False,
                "metadata": self._arrays,
            },
        }
        _write_json(self._folder / _METADATA_FILE, about)


def bytes_codec(dtype: np.dtype[Any]) -> dict[str, object]:
    """Metadata of the codec that lays values out as little-endian bytes."""
    if dtype.itemsize == 1:
        return {"name": "bytes"}
    return {"name": "bytes", "configuration": {"endian": "little"}}


def little_endian(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values in the byte order that is stored; no copy where they are already."""
    return np.asarray(values, dtype=values.dtype.newbyteorder("<"))


def _runs(placed: Iterable[Piece]) -> Iterator[tuple[int, list[bytes]]]:
    """Join pieces that follow one another: fewer calls of the system, from memory still cached."""
    start = end = 0
    run: list[bytes] = []
    for offset, piece in placed:
        if run and (offset != end or end - start >= _RUN_BYTES or len(run) == _RUN_PIECES):
            yield start, run
            run = []
        if not run:
            start = end = offset
        run.append(piece)
        end += len(piece)
    if run:
        yield start, run


def _write(handle: int, pieces: list[bytes], offset: int) -> None:
    written = os.pwritev(handle, pieces, offset)
    if written < sum(map(len, pieces)):  # a signal or a full disk: the rest says which
        rest = b"".join(pieces)
        while written < len(rest):
            written += os.pwrite(handle, rest[written:], offset + written)


def _write_json(place: Path, about: Mapping[str, object]) -> None:
    place.write_bytes(json.dumps(about, allow_nan=False).encode())
