"""Kinetic models of all voxels of a block at once.

A `VoxelModel` is made once for a series: everything that does not depend on the voxel is in it. It
is small, and is sent to the workers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.geometry import FloatArray
from schemas.kinetics import KineticProfile
from tasks.kinetics.basis import BasisSet, basis_set, theta_grid
from tasks.kinetics.fits import frames_in_range
from tasks.kinetics.frames import FrameTimes
from tasks.kinetics.integrals import integral_operator
from tasks.kinetics.models import Supply

#: Voxels at a time: their arrays stay in the cache, and a product so small is made by one thread.
_AT_A_TIME: Final = 16_384


class VoxelModel(Protocol):
    """A model ready for the curves of voxels."""

    @property
    def frames(self) -> slice:
        """Frames that are needed."""

    def __call__(self, curves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Parameters (p, v) of curves (t, v) of these frames; NaN where there is no solution."""


@dataclass(frozen=True, eq=False)
class LinearVoxels:
    """Parameters that are weighted sums over frames: Patlak and ratio.

    Parameters
    ----------
    operator : ndarray, (p, t), float32
        Of the needed frames.
    """

    frames: slice
    operator: NDArray[np.float32]

    def __call__(self, curves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Multiply, once."""
        return _in_parts(self._part, curves, len(self.operator))

    def _part(self, curves: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.operator @ curves
        return found


@dataclass(frozen=True, eq=False)
class _LinearPart:
    """What models of the linear part of a plot need of a series.

    Parameters
    ----------
    integrals : ndarray, (n, t), float32
        Means of all frames to integrals of those of the linear part.
    used : slice
        Frames of the linear part.
    supply, weights : ndarray, (n,), float64
        Integral of the input, and weights, of these.
    """

    frames: slice
    integrals: NDArray[np.float32]
    used: slice
    supply: FloatArray
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class LoganVoxels(_LinearPart):
    """Slope of the Logan plot; parameters as of `_LinearPart`."""

    def __call__(self, curves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fit a line for every voxel; NaN where a frame of the linear part is not positive."""
        return _in_parts(self._part, curves, 1)

    def _part(self, curves: NDArray[np.float32]) -> FloatArray:
        own = curves[self.used].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            x = self.supply[:, None] / own
            y = (self.integrals @ curves) / own
            w = self.weights / self.weights.sum()
            x -= w @ x
            slope = (w @ (x * y)) / (w @ (x * x))
        return np.where((own > 0).all(axis=0), slope, np.nan)[None]


@dataclass(frozen=True, eq=False)
class Ma1Voxels(_LinearPart):
    """VT of the multilinear analysis; parameters as of `_LinearPart`."""

    def __call__(self, curves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Solve two equations for every voxel; NaN where the curve does not follow the model."""
        return _in_parts(self._part, curves, 1)

    def _part(self, curves: NDArray[np.float32]) -> FloatArray:
        y = curves[self.used].astype(np.float64)
        own = (self.integrals @ curves).astype(np.float64)
        w, s = self.weights, self.supply
        ss, so, oo = (w * s) @ s, (w * s) @ own, w @ (own * own)
        sy, oy = (w * s) @ y, w @ (own * y)
        with np.errstate(divide="ignore", invalid="ignore"):
            b1, b2 = sy * oo - oy * so, oy * ss - sy * so  # both times the determinant
            vt = -b1 / b2
            ends = (ss * oo - so * so) > 1e-12 * ss * oo
        return np.where(ends & (b2 < 0), vt, np.nan)[None]


@dataclass(frozen=True, eq=False)
class SrtmVoxels:
    """R1, k2 and BPND by basis functions."""

    frames: slice
    basis: BasisSet

    def __call__(self, curves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project on all basis functions, keep the best; NaN for empty curves."""
        return _in_parts(self._part, curves, 3)

    def _part(self, curves: NDArray[np.float32]) -> FloatArray:
        chosen, gained = self.basis.best(curves)
        found = self.basis.parameters(curves, chosen)
        return np.where(gained > 0, found, np.nan)


def _in_parts(
    work: Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]],
    curves: NDArray[np.float32],
    n: int,
) -> NDArray[np.float32]:
    found = np.empty((n, curves.shape[1]), dtype=np.float32)
    for first in range(0, curves.shape[1], _AT_A_TIME):
        part = slice(first, first + _AT_A_TIME)
        found[:, part] = work(curves[:, part])
    return found


def voxel_model(
    profile: KineticProfile, supply: Supply, t_star_min: float | None = None
) -> VoxelModel:
    """Prepare a model for the voxels of a series.

    Parameters
    ----------
    profile : KineticProfile
        Model and its options.
    supply : Supply
        Input function or reference curve.
    t_star_min : float or None
        For profiles that search it: what the curves of ROIs gave.

    Raises
    ------
    KineticsRefusedError
        ``kinetics.few_frames``, ``kinetics.no_solution``.
    """
    times = supply.times
    start = profile.t_star_min if profile.t_star_min is not None else t_star_min
    used = frames_in_range(times, profile, start)
    source = supply.input_for(profile)
    if profile.model == "patlak":
        operator = patlak_operator(source.mean, source.integral, supply.weights, used)
        return LinearVoxels(used, operator.astype(np.float32))
    if profile.model == "ratio":
        return LinearVoxels(used, _ratio_operator(source.mean, times, used))
    if profile.model == "srtm":
        basis = basis_set(times, source.mean, supply.weights, used, theta_grid(profile))
        return SrtmVoxels(slice(0, times.n), basis)
    make = Ma1Voxels if profile.model == "ma1" else LoganVoxels
    return make(
        slice(0, times.n),
        integral_operator(times)[used].astype(np.float32),
        used,
        source.integral[used],
        supply.weights[used],
    )


def patlak_operator(
    plasma: FloatArray, integral: FloatArray, weights: FloatArray, used: slice
) -> FloatArray:
    """Matrix (2, n) that makes Ki (ml/cm3/min) and the intercept of the activity of n frames.

    The slope and intercept of a weighted line are linear in y, and y is the activity over that of
    plasma: so the whole model is one matrix, the weighted pseudo-inverse of the line's design with
    its columns divided by the plasma.

    Parameters
    ----------
    plasma, integral, weights : ndarray, (t,), float64
        As in `InputFunction`, and the weights of the frames.
    used : slice
        Frames of the linear part.

    References
    ----------
    Patlak, Blasberg, Fenstermacher, J Cereb Blood Flow Metab 3 (1983) 1.

    Examples
    --------
    Plasma stays at 1, and tissue takes up 0.02 of it per minute:

    >>> seconds = np.array([600.0, 1200.0, 1800.0])
    >>> matrix = patlak_operator(np.ones(3), seconds, np.ones(3), slice(0, 3))
    >>> (matrix @ (0.3 + 0.02 * seconds / 60)).round(9).tolist()
    [0.02, 0.3]
    """
    root = np.sqrt(weights[used])
    x = integral[used] / plasma[used]
    centre = float(weights[used] @ x / weights[used].sum())
    design = np.stack([x - centre, np.ones_like(x)], axis=1) * root[:, None]
    inverse = np.linalg.pinv(design) * root / plasma[used]
    return np.stack([60.0 * inverse[0], inverse[1] - centre * inverse[0]])


def _ratio_operator(reference: FloatArray, times: FrameTimes, used: slice) -> NDArray[np.float32]:
    duration = times.duration_s[used]
    return np.asarray(duration / (duration @ reference[used]), dtype=np.float32)[None]
