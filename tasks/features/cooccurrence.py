"""How often pairs of grey levels are neighbours in three dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from tasks.features.discretise import GreyLevels

#: The 13 directions ``(z, y, x)`` to half of the 26 neighbours.
DIRECTIONS: Final = tuple(d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0))

#: Cells of a dense counting array (32 MB); finer matrices are counted by sorting.
_DENSE_CELLS: Final = 1 << 22


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Merged, symmetric co-occurrence matrix without its zeros.

    Parameters
    ----------
    i, j : ndarray, (n,), float64
        Grey levels of the cells.
    p : ndarray, (n,), float64
        Probability; sums to 1, empty without pairs.
    n_levels : int
        Ng.
    """

    i: FloatArray
    j: FloatArray
    p: FloatArray
    n_levels: int


def cooccurrence_3d_merged(grey: GreyLevels, distance: int) -> Cooccurrence:
    """Count pairs over all 13 directions in both senses, in one matrix.

    Parameters
    ----------
    grey : GreyLevels
        Discretised region.
    distance : int
        Steps along each direction (Chebyshev distance), voxels.

    References
    ----------
    IBSI reference manual (arXiv:1612.07003), section 3.6: "3D, merged" (IAZD).
    """
    base = grey.n_levels + 1
    pairs = [_pairs(grey.levels, tuple(distance * d for d in way), base) for way in DIRECTIONS]
    codes, counts = _count(np.concatenate(pairs), base * base)
    first, second = np.divmod(codes, base)
    i, j = np.concatenate([first, second]), np.concatenate([second, first])
    both, where = np.unique(i * base + j, return_inverse=True)
    n = histogram(where, np.concatenate([counts, counts]).astype(np.float64))
    row, column = np.divmod(both, base)
    total = n.sum() or 1.0
    return Cooccurrence(row.astype(np.float64), column.astype(np.float64), n / total, base - 1)


def histogram(index: NDArray[np.integer[Any]] | FloatArray, weights: FloatArray) -> FloatArray:
    """Sum weights (n,) by whole numbers from 0 (n,); as long as the largest number plus one."""
    return np.asarray(np.bincount(np.asarray(index, dtype=np.int64), weights), dtype=np.float64)


def _pairs(levels: NDArray[np.int32], step: tuple[int, ...], base: int) -> NDArray[np.int64]:
    """Code ``first * base + second`` of each pair of levels one step apart."""
    here, there = [], []
    for n, d in zip(levels.shape, step, strict=True):
        here.append(slice(max(0, -d), max(n - max(0, d), 0)))
        there.append(slice(max(0, d), max(n - max(0, -d), 0)))
    first, second = levels[tuple(here)], levels[tuple(there)]
    both = (first > 0) & (second > 0)
    return first[both].astype(np.int64) * base + second[both]


def _count(codes: NDArray[np.int64], cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct codes and how often each occurs."""
    if cells > _DENSE_CELLS:
        found, counts = np.unique(codes, return_counts=True)
        return found, counts.astype(np.int64)
    dense = np.bincount(codes, minlength=cells)
    found = np.flatnonzero(dense)
    return found, dense[found]
