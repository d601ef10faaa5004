"""Resolution of an image from its own edges, where nobody measured a phantom.

An estimate: it takes the steepest large edges of the image for steps. Real organs have softer ones,
and they move; so the estimate is at best as sharp as the scanner, and often wider.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import least_squares
from scipy.special import erf

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from schemas.volume import ImageVolume
from tasks.standardise.kernels import FWHM_PER_SIGMA
from tasks.standardise.matching import BOX_FWHM, Widths
from tasks.standardise.source import Values

#: Distance from an edge at which the levels on both sides are taken, mm.
_NEAR_MM, _FAR_MM = 9.0, 16.0
#: Largest standard deviation of such a level, in steps of the edge.
_FLAT: Final = 0.12
#: Cosine of the largest angle between the edge's normal and the axis.
_ALONG: Final = 0.9
#: Smoothing before the direction of an edge is looked at, mm.
_DIRECTION_FWHM_MM: Final = 5.0
#: Edges used, those with the highest steps; with fewer than so many there is no estimate.
_MOST_EDGES, _LEAST_EDGES = 400, 40
_WIDEST_MM: Final = 25.0
#: Voxels that are looked at: the middle slices of larger volumes.
_MOST_VOXELS: Final = 30_000_000


@dataclass(frozen=True, slots=True)
class EdgeEstimate:
    """Resolution found on edges.

    Parameters
    ----------
    fwhm_mm : tuple of float
        Of the Gaussian point spread function along z, y, x, without the averaging over voxels.
    n_edges : tuple of int
        Edges used along each axis.
    """

    fwhm_mm: Widths
    n_edges: tuple[int, int, int]


def estimate_resolution(image: ImageVolume) -> EdgeEstimate:
    """Fit one error function to the highest edges of an image, for each axis.

    Along lines of voxels, places are sought where two flat levels meet and the normal of the edge
    runs along the line. Scaled to a step from 0 to 1, shifted to where they cross one half and
    projected on their normal, their profiles together are sampled much finer than the voxels; a
    Gaussian edge response is fitted to all of them.

    Parameters
    ----------
    image : ImageVolume
        Any unit that is proportional to the activity.

    Raises
    ------
    InvalidInputError
        There are not enough such edges along some axis.

    References
    ----------
    Edge response: Judy, Med Phys 3:233 (1976), doi:10.1118/1.594283. Another way, from the power
    spectrum: Carbonell et al., doi:10.1101/2024.09.30.614929.

    Examples
    --------
    A cube blurred to 6 mm on voxels of 2 mm:

    >>> from schemas.geometry import Geometry
    >>> cube = np.zeros((60, 60, 60), np.float32)
    >>> cube[15:45, 15:45, 15:45] = 5.0
    >>> cube = gaussian_filter(cube, 6.0 / FWHM_PER_SIGMA / 2.0)
    >>> grid = Geometry(cube.shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> found = estimate_resolution(ImageVolume(cube, grid, "SUVbw"))
    >>> [round(w) for w in found.fwhm_mm]
    [6, 6, 6]
    """
    values = _middle(np.nan_to_num(image.values))
    spacing = image.geometry.spacing
    smooth = gaussian_filter(values, [_DIRECTION_FWHM_MM / FWHM_PER_SIGMA / s for s in spacing])
    gradient = np.gradient(smooth, *spacing)
    strength = np.sqrt(sum(g**2 for g in gradient))
    found = []
    for axis, step in enumerate(spacing):
        cosine = np.abs(gradient[axis]) / np.maximum(strength, np.finfo(np.float32).tiny)
        found.append(_along(np.moveaxis(values, axis, 0), np.moveaxis(cosine, axis, 0), step))
    z, y, x = (
        math.sqrt(max(wide**2 - (BOX_FWHM * s) ** 2, 0.0))
        for (wide, _), s in zip(found, spacing, strict=True)
    )
    return EdgeEstimate((z, y, x), (found[0][1], found[1][1], found[2][1]))


def _middle(values: Values) -> Values:
    n = max(1, _MOST_VOXELS // max(1, values[0].size))
    start = max(0, (len(values) - n) // 2)
    return values[start : start + n]


def _along(values: Values, cosine: Values, step_mm: float) -> tuple[float, int]:
    """FWHM (mm, voxels included) along the first axis, and the edges it was found from."""
    far = math.ceil(_FAR_MM / step_mm)
    where, low, high = _edges(values, cosine, math.ceil(_NEAR_MM / step_mm), far)
    n = len(where)
    if n < _LEAST_EDGES:
        raise InvalidInputError(f"{n} edges to estimate the resolution from; {_LEAST_EDGES} needed")
    i, j, k = where.T
    shifts = np.arange(-far, far + 1)
    profiles = values[i[:, None] + shifts, j[:, None], k[:, None]].astype(np.float64)
    scaled = (profiles - low[:, None]) / (high - low)[:, None]
    crossing = (0.5 - scaled[:, far]) / (scaled[:, far + 1] - scaled[:, far])
    along = (shifts - crossing[:, None]) * step_mm * cosine[i, j, k][:, None]
    near = np.abs(along) < _FAR_MM
    return _fit_step(along[near], scaled[near]), n


def _edges(
    values: Values, cosine: Values, near: int, far: int
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int_]], FloatArray, FloatArray]:
    """Find edges: indices (n, 3) of voxels before a crossing, and the levels on both sides."""
    n = len(values) - 2 * far
    if n < 1:
        return np.zeros((0, 3), dtype=np.int_), np.zeros(0), np.zeros(0)

    def moved(shift: int) -> Values:
        return values[far + shift : far + shift + n]

    before = np.stack([moved(-s) for s in range(near, far + 1)])
    after = np.stack([moved(s) for s in range(near, far + 1)])
    low, high = before.mean(axis=0), after.mean(axis=0)
    height = np.abs(high - low)
    spread = np.maximum(before.std(axis=0), after.std(axis=0))
    middle = (low + high) / 2
    here, there = moved(0) - middle, moved(1) - middle
    found = (here * there <= 0) & (here != there) & (spread < _FLAT * height)
    found &= cosine[far : far + n] > _ALONG
    index = np.argwhere(found)
    best = np.argsort(-height[found], kind="stable")[:_MOST_EDGES]
    i, j, k = index[best].T
    where = np.stack([i + far, j, k], axis=1)
    return where, low[i, j, k].astype(np.float64), high[i, j, k].astype(np.float64)


def _fit_step(along_mm: FloatArray, scaled: FloatArray) -> float:
    """FWHM of the Gaussian whose edge response fits the points."""

    def difference(p: FloatArray) -> FloatArray:
        rise = 0.5 * (1.0 + erf((along_mm - p[2]) / (p[3] * math.sqrt(2.0))))
        return np.asarray(p[0] + p[1] * rise - scaled)

    widest = _WIDEST_MM / FWHM_PER_SIGMA
    fit = least_squares(
        difference, [0.0, 1.0, 0.0, 2.5], loss="soft_l1", f_scale=0.1,
        bounds=([-1.0, 0.0, -5.0, 0.05], [1.0, 3.0, 5.0, widest]),
    )  # fmt: skip
    return float(fit.x[3] * FWHM_PER_SIGMA)
