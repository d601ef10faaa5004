"""Which pixel centres lie inside polygons: all rows and edges at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray

_IntArray = NDArray[np.int64]

#: Outlines often run exactly through pixel centres. Moving them by this much (pixels) makes every
#: such pixel fall on the same side, whatever the rounding of decimal strings.
_NUDGE: Final = 1e-6


def fill_polygons(polygons: Sequence[FloatArray], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside the polygons, by the even-odd rule.

    A polygon inside another one is a hole, and the seam of a keyhole contour (run through twice)
    cancels. A centre exactly on an outline counts on its low side and not on its high side, so
    that the area is right on average.

    Parameters
    ----------
    polygons : sequence of ndarray, each (n, 2), float64
        Vertices ``(x, y)`` in pixel indices, pixel centres at whole numbers; closed implicitly.
    shape : tuple of int
        ``(rows, columns)`` of the pixel grid.

    Returns
    -------
    ndarray, (rows, columns), bool

    Examples
    --------
    >>> square = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]])
    >>> fill_polygons([square], (4, 4)).astype(int).tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    rows, columns = shape
    if not polygons:
        return np.zeros(shape, dtype=np.bool_)
    edges = np.concatenate([np.hstack([p, np.roll(p, -1, axis=0)]) for p in polygons]) - _NUDGE
    row, x = _crossings(edges, rows)
    first = np.clip(np.ceil(x), 0, columns).astype(np.int64)
    switches = np.bincount(row * (columns + 1) + first, minlength=rows * (columns + 1))
    crossed = np.cumsum(switches.reshape(rows, columns + 1)[:, :columns], axis=1)
    return np.asarray(crossed % 2 == 1)


def _crossings(edges: FloatArray, rows: int) -> tuple[_IntArray, FloatArray]:
    """Row and x of every crossing of an edge ``x0, y0, x1, y1`` with a row of pixel centres.

    An edge owns the rows in ``[lower, upper)``: a vertex on a row is counted once.
    """
    y = edges[:, [1, 3]]
    first = np.clip(np.ceil(y.min(axis=1)), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(y.max(axis=1)), 0, rows).astype(np.int64)
    count = last - first
    edge = np.repeat(np.arange(len(edges)), count)
    row = first[edge] + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    x0, y0, x1, y1 = edges[edge].T
    x: FloatArray = x0 + (row - y0) / (y1 - y0) * (x1 - x0)
    return row, x
