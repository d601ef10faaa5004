"""Worker side of `tracerlake show`: a stored volume as the pictures need it, never all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from lake.volumes import open_lazy
from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray, Geometry
from schemas.volume import ImageVolume
from tasks.pictures.projections import Flat, projections
from tasks.segment.boxes import Box, corners, sub_grid

#: Voxels that are held at once: about the depth of a chunk in a CT, so that none is read twice.
_MOST_VOXELS: Final = 16_000_000
#: Voxels looked at for percentiles.
_SAMPLE: Final = 1_000_000

#: Frames of one kind that are added or averaged unless one is named.
_POOLED: Final = frozenset({"time", "gate"})


@dataclass(frozen=True, eq=False)
class ShownVolume:
    """One volume of three dimensions, read where it is needed.

    Parameters
    ----------
    array : xarray.DataArray
        (z, y, x), lazy.
    geometry : Geometry
        Its grid.
    value_unit : str
        Of the values.
    frame_note : str
        Which frames it is of, for the reader; empty where there are none.
    """

    array: xr.DataArray
    geometry: Geometry
    value_unit: str
    frame_note: str = ""

    def slabs(self) -> Iterator[NDArray[Any]]:
        """Yield all values in pieces along z."""
        n_z, n_y, n_x = self.array.shape
        step = max(_MOST_VOXELS // (n_y * n_x), 1)
        for first in range(0, n_z, step):
            yield self.array[first : first + step].to_numpy()

    def part(self, box: Box) -> ImageVolume:
        """Read a box; of one that is too large, every second voxel (third, ...) along each axis."""
        grid = sub_grid(self.geometry, box)
        stride = int(np.ceil((np.prod(grid.shape, dtype=float) / _MOST_VOXELS) ** (1 / 3)))
        stride = max(stride, 1)
        steps: Box = tuple(slice(s.start, s.stop, stride) for s in box)  # type: ignore[assignment]
        values = self.array[steps].to_numpy().astype(np.float32, copy=False)
        affine = grid.affine.copy()
        affine[:3, :3] *= stride
        shape: tuple[int, int, int] = values.shape
        return ImageVolume(values, Geometry(shape, affine), self.value_unit)


def open_shown(
    root: str,
    path: str,
    *,
    quantity: str = "suv",
    frame: str | None = None,
    frame_kind: str | None = None,
) -> ShownVolume:
    """Open a stored volume; of a dynamic or gated one, a frame or all of them pooled.

    Parameters
    ----------
    root, path : str
        Root of the volumes and the volume in it.
    quantity : str
        As `lake.volumes.open_lazy` takes it.
    frame : str or None
        Number of a frame, from 1, or ``sum``. None: all frames of dynamic and gated series, the
        first one of others.
    frame_kind : str or None
        What the frames are (`schemas.volume.FRAME_KINDS`).

    Raises
    ------
    InvalidInputError
        There is no such frame.
    NotFoundInLakeError, StorageError
        As `lake.volumes.open_lazy`.
    """
    whole = open_lazy(root, path, quantity=quantity)
    affine = np.asarray(whole.attrs["affine_lps"], dtype=np.float64).reshape(4, 4)
    z, y, x = whole.shape[-3:]
    geometry, unit = Geometry((z, y, x), affine), str(whole.attrs["units"])
    if "t" not in whole.dims:
        if frame not in {None, "1", "sum"}:
            raise InvalidInputError(f"frame {frame}: this volume has no frames")
        return ShownVolume(whole, geometry, unit)
    picked = _picked(frame, whole.sizes["t"], frame_kind)
    if len(picked) == 1:
        return ShownVolume(whole[picked[0]], geometry, unit, _frame_note(whole, picked[0]))
    pooled, note = _pooled(whole, unit)
    return ShownVolume(pooled, geometry, unit, note)


def _picked(frame: str | None, n: int, frame_kind: str | None) -> list[int]:
    if frame is None:
        frame = "sum" if frame_kind in _POOLED else "1"
    if frame == "sum":
        return list(range(n))
    if not frame.isdecimal() or not 1 <= int(frame) <= n:
        raise InvalidInputError(f"frame {frame!r}: expected 1 to {n}, or sum")
    return [int(frame) - 1]


def _frame_note(whole: xr.DataArray, t: int) -> str:
    note = f"frame {t + 1} of {whole.sizes['t']}"
    if "frame_label" in whole.coords:
        return f"{note}, {whole.frame_label.to_numpy()[t]}"
    if "frame_start_s" in whole.coords:
        note += f", from {float(whole.frame_start_s[t]):g} s"
    return note


def _pooled(whole: xr.DataArray, unit: str) -> tuple[xr.DataArray, str]:
    """Add counts; average concentrations and SUV, weighted by the duration of the frames."""
    n = whole.sizes["t"]
    weights = np.ones(n)
    adds = unit == "CNTS"
    has_durations = "frame_duration_s" in whole.coords
    if not adds:
        if has_durations:
            weights = whole.frame_duration_s.to_numpy().astype(np.float64)
        weights = weights / weights.sum()
    total = np.zeros(whole.shape[1:], dtype=np.float32)
    for t in range(n):
        total += np.float32(weights[t]) * whole[t].to_numpy()
    how = "sum" if adds else ("mean, weighted by duration," if has_durations else "mean")
    return xr.DataArray(total, dims=("z", "y", "x")), f"{how} of {n} frames"


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over a volume tells.

    Parameters
    ----------
    flat : tuple of ndarray
        Maximum intensity projections along z, y, x.
    sample : ndarray, (n,)
        Some of the values, evenly taken.
    hottest_lps : ndarray, (3,), float64
        Where the uptake is highest, mm.
    """

    flat: Flat
    sample: NDArray[Any]
    hottest_lps: FloatArray

    @property
    def highest(self) -> float:
        """Highest finite value."""
        return float(self.flat[0].max())

    def seen(self, geometry: Geometry, limit: float, margin_mm: float) -> FloatArray:
        """Corners (8, 3), LPS mm, of the box in which values exceed a limit, with a margin."""
        along_z, along_y, _ = self.flat
        highest = (along_y.max(axis=(1, 2)), along_z.max(axis=(0, 2)), along_z.max(axis=(0, 1)))
        slices = []
        for line, n, mm in zip(highest, geometry.shape, geometry.spacing, strict=True):
            found = np.flatnonzero(line > limit)
            more = round(margin_mm / mm)
            first, last = (found[0], found[-1]) if found.size else (0, n - 1)
            slices.append(slice(max(int(first) - more, 0), min(int(last) + more + 1, n)))
        z, y, x = slices
        return corners(sub_grid(geometry, (z, y, x)))


def survey(volume: ShownVolume, *, find_hottest: bool = False) -> Survey:
    """Look at a whole volume once, slab by slab.

    Parameters
    ----------
    volume : ShownVolume
        What to look at.
    find_hottest : bool
        Find where the mean of 3 x 3 x 3 voxels is highest; otherwise the middle stands for it.
    """
    every = max(volume.array.size // _SAMPLE, 1)
    kept: list[NDArray[Any]] = []
    search = _HottestSearch()

    def watched() -> Iterator[NDArray[Any]]:
        for slab in volume.slabs():
            kept.append(slab.reshape(-1)[::every].copy())
            if find_hottest:
                search.look(slab)
            yield slab

    flat = projections(watched())
    middle = (np.array(volume.geometry.shape[::-1]) - 1.0) / 2.0
    place = np.array(search.place[::-1], dtype=np.float64) if find_hottest else middle
    return Survey(flat, np.concatenate(kept), volume.geometry.to_lps(place))


class _HottestSearch:
    """Finds the highest mean of 3 x 3 x 3 voxels in slabs that follow one another.

    Beyond the volume is nothing, so that noise in its outermost slices does not win.
    """

    def __init__(self) -> None:
        self.place = (0, 0, 0)
        self._best = -np.inf
        self._before: NDArray[Any] | None = None
        self._first = 0

    def look(self, slab: NDArray[Any]) -> None:
        """Take the next slab, (z, y, x)."""
        values = np.nan_to_num(slab, posinf=0.0, neginf=0.0)
        joined = values if self._before is None else np.concatenate([self._before, values])
        means = ndimage.uniform_filter(joined, 3, output=np.float32, mode="constant")
        z, y, x = np.unravel_index(int(np.argmax(means)), means.shape)
        if means[z, y, x] > self._best:
            self._best = float(means[z, y, x])
            self.place = (self._first + int(z), int(y), int(x))
        # the last two slices come again: the means of the last one were not complete
        self._before = joined[-2:].copy()
        self._first += joined.shape[0] - self._before.shape[0]
