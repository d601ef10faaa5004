"""Parts of a dynamic volume over all its frames, read without the rest.

A 4-D volume is cut along its chunks in space only, so that every chunk is read and decompressed
once, however the work is shared.
"""

from __future__ import annotations

from typing import Final, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from lake.volumes import layout, stores
from lake.volumes.frames import frames_of
from lake.volumes.read import description, geometry_of, open_array
from schemas.errors import InvalidInputError
from schemas.volume import FrameAxis

#: Part ``(z, y, x)`` of a volume.
Window = tuple[slice, slice, slice]
#: Values of a block that is read at a time: 32 MB as float32.
BLOCK_VALUES: Final = 8 * 2**20


def block_windows(shape: tuple[int, int, int, int], values: int = BLOCK_VALUES) -> list[Window]:
    """Cut a volume (t, z, y, x) into blocks of whole chunks that cover all frames.

    Parameters
    ----------
    shape : tuple of int
        ``(t, z, y, x)``.
    values : int
        Most values in a block, unless a single chunk over all frames has more.

    Examples
    --------
    >>> windows = block_windows((60, 110, 200, 200))
    >>> len(windows), windows[1]
    (36, (slice(0, 37, None), slice(0, 34, None), slice(102, 200, None)))
    """
    _, *edges = layout.chunk_shape(shape)
    counts = [1, 1, 1]
    whole = [-(-n // e) for n, e in zip(shape[1:], edges, strict=True)]
    for axis in (2, 1, 0):  # neighbours along x lie side by side in the file
        size = shape[0] * int(np.prod([c * e for c, e in zip(counts, edges, strict=True)]))
        counts[axis] = min(whole[axis], max(1, values // size))
        if counts[axis] < whole[axis]:
            # even shares: no block is a small rest
            counts[axis] = -(-whole[axis] // -(-whole[axis] // counts[axis]))
            break
    steps = [c * e for c, e in zip(counts, edges, strict=True)]
    cuts = [
        [slice(i, min(i + s, n)) for i in range(0, n, s)]
        for n, s in zip(shape[1:], steps, strict=True)
    ]
    return [(z, y, x) for z in cuts[0] for y in cuts[1] for x in cuts[2]]


class DynamicVolume:
    """A raw volume with frames, opened for reading parts of it.

    Parameters
    ----------
    root, path : str
        Root of the lake's volumes and ``volume_path`` in it.
    quantity : str
        ``suv`` (SUVbw where a factor exists, else native) or ``native`` (Bq/ml, CNTS).

    Raises
    ------
    NotFoundInLakeError, StorageError
        If there is no such volume, or it is damaged.
    InvalidInputError
        If it has no frames.
    """

    def __init__(self, root: str, path: str, quantity: str = "suv") -> None:
        group = stores.open_group(root, path)
        about = description(group, path, "raw")
        frames = frames_of(about)
        if frames is None:
            raise InvalidInputError(f"volume {path} has no frames")
        self.frames: FrameAxis = frames
        self.geometry = geometry_of(group, about, "raw")
        scale = _line(group, "rescale_slope")
        offset = _line(group, "rescale_intercept")
        self.unit = str(about["value_unit"])
        if quantity == "suv" and "suv_factor" in group:
            factor = _line(group, "suv_factor")
            scale, offset, self.unit = scale * factor, offset * factor, "SUVbw"
        self._scale, self._offset = scale.astype(np.float32), offset.astype(np.float32)
        self._array = open_array(group, layout.ARRAY_NAME["raw"], path)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(t, z, y, x)``."""
        return cast("tuple[int, int, int, int]", tuple(int(n) for n in self._array.shape))

    def read(self, window: Window, frames: slice | None = None) -> NDArray[np.float32]:
        """Values of a part, (t, z, y, x) float32 in `unit`.

        Parameters
        ----------
        window : Window
            Part ``(z, y, x)``.
        frames : slice or None
            Consecutive frames; None for all.
        """
        t = slice(0, self.shape[0]) if frames is None else frames
        stored = np.asarray(self._array[(t, *window)])
        values: NDArray[np.float32] = stored.astype(np.float32)
        values *= self._scale[t, window[0], None, None]
        offset = self._offset[t, window[0]]
        if offset.any():
            values += offset[..., None, None]
        return values


def _line(group: zarr.Group, name: str) -> NDArray[np.float64]:
    return np.asarray(cast("zarr.Array", group[name])[...], dtype=np.float64)
