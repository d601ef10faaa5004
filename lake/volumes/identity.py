"""What a volume is called: digests of its content and of what the content means."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from schemas.digests import blake3_hex
from schemas.errors import InvalidInputError

#: Enough of SHA-256 (128 bits) for a name without collisions, short enough for a path.
ID_DIGITS: Final = 32


def array_digest(*arrays: NDArray[Any] | None) -> str:
    """BLAKE3 (hexadecimal) over dtype, shape and little-endian C-ordered bytes of the arrays.

    Examples
    --------
    >>> array_digest(np.zeros((1, 1, 2), np.int16)) == array_digest(np.zeros((1, 2, 1), np.int16))
    False
    """
    return blake3_hex(part for array in arrays for part in _parts(array))


class ArrayDigest:
    """`array_digest` of one array whose parts along the first dim come one after the other."""

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._digest = blake3(f"{dtype.name}{tuple(shape)};".encode())

    def add(self, rows: NDArray[Any]) -> None:
        """Take the next rows."""
        little = np.asarray(rows, dtype=rows.dtype.newbyteorder("<"))
        self._digest.update(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)

    def hex(self) -> str:
        """Digest of all that was taken."""
        return self._digest.hexdigest()


def _parts(array: NDArray[Any] | None) -> Iterator[bytes | memoryview]:
    if array is None:
        yield b"none;"
        return
    yield f"{array.dtype.name}{tuple(array.shape)};".encode()
    little = np.asarray(array, dtype=array.dtype.newbyteorder("<"))
    # plane by plane if they are not in order: a copy of a whole volume costs as much again
    for part in [little] if little.flags.c_contiguous else little:
        yield np.ascontiguousarray(part).reshape(-1).view(np.uint8).data


def volume_id(content_blake3: str, metadata: Mapping[str, object]) -> str:
    """Name of a volume: digest of its content digest and its metadata."""
    text = canonical_json({"content": content_blake3, "metadata": dict(metadata)})
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def canonical_json(value: object) -> str:
    """JSON with sorted keys and without spaces: the same value gives the same text.

    Raises
    ------
    InvalidInputError
        If something in it is no JSON value.
    """
    try:
        return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"volume attributes cannot be written as JSON: {error}") from error


def plain(value: object) -> Any:
    """Copy of a JSON-able value with numpy scalars, arrays and tuples as plain Python.

    A float that JSON does not know (NaN, infinity) becomes null.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
