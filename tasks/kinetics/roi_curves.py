"""Time-activity curves of ROIs, added up from blocks of a volume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray

#: Part ``(z, y, x)`` of a grid.
Window = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class RoiCurve:
    """Curve of an ROI.

    Parameters
    ----------
    mean, sd : ndarray, (t,), float64
        Over the voxels, frame by frame; the standard deviation is that of a sample.
    n_voxels : int
        Voxels of the ROI.
    """

    mean: FloatArray
    sd: FloatArray
    n_voxels: int


class CurveSums:
    """Adds up the curves of ROIs block by block, so that no more than a block is in memory.

    Parameters
    ----------
    masks : sequence of ndarray, (z, y, x), bool
        On the grid of the volume; they may overlap.
    n_frames : int
        Frames of the volume.
    """

    def __init__(self, masks: Sequence[NDArray[np.bool_]], n_frames: int) -> None:
        self._masks = masks
        self._n = np.zeros(len(masks), dtype=np.int64)
        self._mean = np.zeros((len(masks), n_frames))
        self._squares = np.zeros((len(masks), n_frames))  # of deviations from the mean

    def needed(self, windows: Iterable[Window]) -> list[Window]:
        """Blocks that hold a voxel of an ROI."""
        return [w for w in windows if any(mask[w].any() for mask in self._masks)]

    def add(self, window: Window, values: NDArray[np.float32]) -> None:
        """Add a block (t, z, y, x).

        References
        ----------
        Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances" (1979).
        """
        for i, mask in enumerate(self._masks):
            inside = values[:, mask[window]].astype(np.float64)
            n = inside.shape[1]
            if n == 0:
                continue
            mean = inside.mean(axis=1)
            squares = ((inside - mean[:, None]) ** 2).sum(axis=1)
            before, total = self._n[i], self._n[i] + n
            gap = mean - self._mean[i]
            self._mean[i] += gap * n / total
            self._squares[i] += squares + gap**2 * before * n / total
            self._n[i] = total

    def curves(self) -> list[RoiCurve]:
        """Curves of the ROIs, in their order; NaN for an ROI without voxels."""
        found = []
        for n, mean, squares in zip(self._n, self._mean, self._squares, strict=True):
            sd = np.sqrt(squares / (n - 1)) if n > 1 else np.zeros_like(mean)
            nothing = np.full_like(mean, np.nan)
            found.append(RoiCurve(mean if n else nothing, sd if n else nothing, int(n)))
        return found
