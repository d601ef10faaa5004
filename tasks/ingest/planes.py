"""Pixels of slices as they arrive, side by side, before anyone knows their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.dicom.pixels import StoredArray


class PlaneStore:
    """Holds the pixels of the slices of a series in one array.

    A slice is copied here as soon as it has been opened, and the bytes of its object are let go:
    the next object then reuses their memory, and reading takes a third of the time (measured).

    Parameters
    ----------
    n_planes : int
        Slices to expect at most.
    max_bytes : int
        Largest array to make; beyond it, every slice keeps an array of its own.
    """

    def __init__(self, n_planes: int, max_bytes: int) -> None:
        self._n_planes = n_planes
        self._max_bytes = max_bytes
        self._planes: StoredArray | None = None
        self._is_started = False
        self._used = 0

    def keep(self, plane: StoredArray) -> tuple[StoredArray, int | None]:
        """Copy a slice; returns the copy, and its place if it lies beside the others."""
        if not self._is_started:
            self._is_started, self._planes = True, self._allocated(plane)
        planes = self._planes
        if planes is None or plane.shape != planes.shape[1:] or plane.dtype != planes.dtype:
            return plane.copy(), None
        place = self._used
        planes[place] = plane
        self._used += 1
        return planes[place], place

    def ordered(self, places: Sequence[int]) -> StoredArray:
        """Give the slices at these places as (z, y, x); a view if they are in order already."""
        if self._planes is None:
            raise ValueError("no slice has a place")
        steps = set(np.diff(places).tolist()) or {1}
        first, last = places[0], places[-1]
        if steps == {1}:
            return self._planes[first : last + 1]
        if steps == {-1}:
            return self._planes[last : first + 1][::-1]
        picked: StoredArray = self._planes[np.asarray(places)]
        return picked

    def _allocated(self, plane: StoredArray) -> StoredArray | None:
        if plane.nbytes * self._n_planes > self._max_bytes:
            return None
        try:
            return np.empty((self._n_planes, *plane.shape), plane.dtype)
        except MemoryError:  # the first slice need not be like the others
            return None
