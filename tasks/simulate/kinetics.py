"""A small phantom that changes with time: tracer curves of a dynamic scan, a beating blood pool."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.geometry import FloatArray, Geometry
from tasks.simulate.anatomy import Solid
from tasks.simulate.imaging import Image, axial_grid, coverage

#: Frames of the dynamic scan: number and seconds of each.
DYNAMIC_FRAMES: Final = ((6, 10.0), (3, 60.0), (2, 300.0), (1, 600.0))
#: The scan starts this long before the injection, s.
LEAD_S: Final = 10.0
GATES: Final = 8
#: Length of a heart cycle, s, and of the gated scan.
CYCLE_S: Final = 1.0
GATED_SCAN_S: Final = 600.0

_SHAPE: Final = (12, 24, 24)
_SPACING_MM: Final = (5.0, 8.0, 8.0)
_SAMPLES: Final = 6
_STEP_S: Final = 0.1
#: Blood: height (SUV) and time (s) of the first pass, level and time of the slow decline.
_FIRST_PASS, _FIRST_PASS_S, _LEVEL, _DECLINE_S = 18.0, 12.0, 6.0, 2400.0
#: Lesion: blood fraction, and trapping per second (Patlak slope).
_BLOOD_FRACTION, _TRAPPING_PER_S = 0.3, 0.0009
_TISSUE_FRACTION: Final = 0.15
_GATED_SUV: Final = {"tissue": 0.5, "blood": 4.0, "lesion": 6.0}
_BLOOD_RADIUS_MM, _BEAT_MM, _LESION_RADIUS_MM = 22.0, 5.0, 20.0
_BLOOD_AT, _LESION_AT = (-36.0, 0.0, 28.0), (36.0, 4.0, 28.0)


@dataclass(frozen=True, eq=False)
class FramedImage:
    """An image with frames, and what it is made of.

    Parameters
    ----------
    grid : Geometry
        Of every frame; z ascends.
    suv : ndarray, (t, z, y, x), float32
        Uptake, decay corrected to the start of the scan.
    start_s, duration_s : ndarray, (t,), float64
        Of the frames: after the start of the scan, or of gates after the trigger.
    blood_suv, lesion_suv : ndarray, (t,), float64
        Uptake that was painted.
    """

    grid: Geometry
    suv: Image
    start_s: FloatArray
    duration_s: FloatArray
    blood_suv: FloatArray
    lesion_suv: FloatArray


def blood_curve(after_injection_s: FloatArray) -> FloatArray:
    """SUV of the blood pool, decay corrected: a first pass, then a slow decline.

    Examples
    --------
    >>> blood_curve(np.array([-1.0, 0.0, 12.0])).round(3).tolist()
    [0.0, 0.0, 21.774]
    """
    t = np.maximum(after_injection_s, 0.0)
    first = _FIRST_PASS * t / _FIRST_PASS_S * np.exp(1 - t / _FIRST_PASS_S)
    slow = _LEVEL * -np.expm1(-t / _FIRST_PASS_S) * np.exp(-t / _DECLINE_S)
    return np.asarray(first + slow)


def dynamic_image() -> FramedImage:
    """Twelve frames over 24 minutes: blood pool, a lesion that traps the tracer, tissue."""
    duration = np.concatenate([np.full(n, seconds) for n, seconds in DYNAMIC_FRAMES])
    start = np.concatenate([[0.0], np.cumsum(duration)[:-1]])
    middle = np.arange(0.0, float(duration.sum()), _STEP_S) + _STEP_S / 2
    blood = blood_curve(middle - LEAD_S)
    lesion = _BLOOD_FRACTION * blood + _TRAPPING_PER_S * np.cumsum(blood) * _STEP_S
    edges = np.rint(start / _STEP_S).astype(int)
    blood_mean, lesion_mean = (
        np.add.reduceat(curve, edges) * _STEP_S / duration for curve in (blood, lesion)
    )
    grid = _grid()
    parts = _fractions(grid, _BLOOD_RADIUS_MM)
    curves = np.stack([_TISSUE_FRACTION * blood_mean, blood_mean, lesion_mean])
    suv = np.tensordot(curves.T, parts, axes=1).astype(np.float32)
    return FramedImage(grid, suv, start, duration, blood_mean, lesion_mean)


def gated_image() -> FramedImage:
    """Eight gates of a heart cycle: the blood pool is largest in the first gate."""
    grid = _grid()
    gate = np.arange(GATES)
    radii = _BLOOD_RADIUS_MM + _BEAT_MM * np.cos(2 * math.pi * gate / GATES)
    values = np.array([_GATED_SUV[name] for name in ("tissue", "blood", "lesion")])
    suv = np.stack([np.tensordot(values, _fractions(grid, float(r)), axes=1) for r in radii])
    length = CYCLE_S / GATES
    return FramedImage(
        grid,
        suv.astype(np.float32),
        np.asarray(gate * length, dtype=np.float64),
        np.full(GATES, GATED_SCAN_S / GATES),
        np.full(GATES, values[1]),
        np.full(GATES, values[2]),
    )


def _grid() -> Geometry:
    return axial_grid(_SHAPE, _SPACING_MM, 0.0)


def _fractions(grid: Geometry, blood_radius_mm: float) -> FloatArray:
    """Share of tissue, blood and lesion in each voxel; (3, z, y, x)."""
    blood = _solid(_BLOOD_AT, (blood_radius_mm,) * 3)
    lesion = _solid(_LESION_AT, (_LESION_RADIUS_MM,) * 3)
    torso = _solid((0.0, 0.0, 28.0), (86.0, 70.0, 400.0))
    body, pool, tumour = (_whole(solid, grid) for solid in (torso, blood, lesion))
    return np.stack([body - pool - tumour, pool, tumour])


def _solid(centre: tuple[float, ...], semi_axes: tuple[float, ...]) -> Solid:
    x, y, z = centre
    a, b, c = semi_axes
    return Solid("", (x, y, z), (a, b, c), 0.0, 0.0, 0.0)


def _whole(solid: Solid, grid: Geometry) -> FloatArray:
    fraction = np.zeros(grid.shape)
    window, inside = coverage(solid, grid, _SAMPLES)
    fraction[window] = inside
    return fraction
