"""Which of six places on a circle is which sphere, and which spheres are hot, missing or cold."""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np

from schemas.geometry import FloatArray
from schemas.phantoms import SPHERE_DIAMETERS_MM

#: Ball that holds all of a sphere's activity, and the shell around it that gives its surroundings.
_BALL_MM: Final = 22.0
_SHELL_MM: Final = 27.0
#: What a sphere may be, as excess over background in units of (its volume x contrast).
_STATES: Final = ("hot", "missing", "cold")
#: Relative uncertainty of a sphere's activity, and price of a sphere that is not hot.
_RELATIVE: Final = 0.15
_PRICE: Final = 6.0
_VOLUMES_ML: Final = np.array([math.pi / 6.0 * d**3 / 1000.0 for d in SPHERE_DIAMETERS_MM])
#: Middle of a sphere, where the image of a large one is as bright as its filling.
_MIDDLE_MM: Final = 5.0
#: Relative uncertainty of the brightness there.
_MIDDLE_RELATIVE: Final = 0.25


def name_spheres(
    values: FloatArray,
    places: FloatArray,
    spacing: tuple[float, float, float],
    level: float,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Match spheres to places by the activity at each.

    All spheres are filled with the same solution, so the activity above background at a place
    goes with the volume of its sphere; a cold one lacks the background of its volume. The volumes
    are almost a geometric series, so that five spheres also fit one place further; therefore the
    largest hot sphere must in its middle be as bright as its filling. Of the twelve ways (six
    turns, two directions) and all combinations of states the likeliest is taken.

    Parameters
    ----------
    values : ndarray, (z, y, x), float64
        The image.
    places : ndarray, (6, 3), float64
        In turn around the circle, mm.
    level : float
        Background.

    Returns
    -------
    order : tuple of int
        Place of each sphere, largest first.
    states : tuple of str
        ``hot``, ``missing`` or ``cold``.
    """
    measured, error, middle = np.array([_excess(values, p, spacing) for p in places]).T / level
    best: tuple[float, tuple[int, ...], tuple[str, ...]] = (math.inf, (), ())
    for start, step in itertools.product(range(6), (1, -1)):
        order = tuple((start + step * i) % 6 for i in range(6))
        turned = list(order)
        mismatch, states = _likeliest(measured[turned], error[turned], middle[turned])
        best = min(best, (mismatch, order, states))
    return best[1], best[2]


def _excess(
    values: FloatArray, place: FloatArray, spacing: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Activity above the surroundings (value x ml), its error, and the excess in the middle."""
    axes = [
        (np.arange(n) * s - c) ** 2 for n, s, c in zip(values.shape, spacing, place, strict=True)
    ]
    window = tuple(
        slice(*(np.flatnonzero(a <= _SHELL_MM**2)[[0, -1]] + [0, 1])) if (a <= _SHELL_MM**2).any()
        else slice(0, 0)
        for a in axes
    )  # fmt: skip
    z, y, x = (a[w] for a, w in zip(axes, window, strict=True))
    part = values[window]
    squared = z[:, None, None] + y[None, :, None] + x[None, None, :]
    ball, shell = squared <= _BALL_MM**2, (squared > _BALL_MM**2) & (squared <= _SHELL_MM**2)
    if not shell.any() or not ball.any():
        return 0.0, 0.0, 0.0
    around = part[shell]
    voxel_ml = math.prod(spacing) / 1000.0
    excess = float((part[ball] - around.mean()).sum()) * voxel_ml
    # noise is correlated over about half a millilitre: fewer independent samples than voxels
    independent = max(ball.sum() * voxel_ml / 0.5, 1.0)
    error = float(around.std()) * ball.sum() * voxel_ml / math.sqrt(independent)
    middle = part[squared <= max(_MIDDLE_MM, 0.9 * max(spacing)) ** 2]
    return excess, error, float(middle.mean() - around.mean()) if middle.size else 0.0


def _likeliest(
    measured: FloatArray, error: FloatArray, middle: FloatArray
) -> tuple[float, tuple[str, ...]]:
    """Mismatch and states of the spheres in one order; excess in ml of background."""
    combinations = np.array(list(itertools.product(range(3), repeat=6)))
    hot, cold = combinations == 0, combinations == 2
    noise = np.maximum(error, 0.2)
    weight = 1.0 / (noise**2 + (_RELATIVE * measured) ** 2)
    volume = hot * _VOLUMES_ML
    scale = (volume * weight * measured).sum(axis=1) / np.maximum(
        (volume**2 * weight).sum(axis=1), 1e-12
    )
    scale = np.maximum(scale, 0.2)  # a hot sphere holds more than its surroundings
    expected = scale[:, None] * volume - cold * _VOLUMES_ML
    spread = noise**2 + (_RELATIVE * expected) ** 2
    mismatch = ((measured - expected) ** 2 / spread + np.log(spread)).sum(axis=1)
    largest = middle[hot.argmax(axis=1)]
    mismatch += ((largest - scale) / (_MIDDLE_RELATIVE * scale)) ** 2
    mismatch += _PRICE * (~hot).sum(axis=1)
    mismatch[hot.sum(axis=1) < 2] = math.inf
    best = int(np.argmin(mismatch))
    return float(mismatch[best]), tuple(_STATES[i] for i in combinations[best])
