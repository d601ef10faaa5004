"""Contrast recovery, background variability and lung residual of NEMA NU 2."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from schemas.volume import ImageVolume
from tasks.phantom.body import positions_mm
from tasks.phantom.model import IqPhantom

_N_POSITIONS: Final = 12
#: Slices of the background regions around that of the spheres, mm.
_SLICE_OFFSETS_MM: Final = (-20.0, -10.0, 0.0, 10.0, 20.0)
_LARGEST_MM: Final = 37.0
_CLEARANCE_MM: Final = 15.0
#: Clearance from spheres that is tried where twelve regions do not fit with 15 mm.
_CLEARANCES_MM: Final = (15.0, 12.0, 9.0, 6.0, 3.0)
_LUNG_DIAMETER_MM: Final = 30.0
_SAMPLES: Final = 7


@dataclass(frozen=True)
class NemaContrast:
    """Results of NEMA NU 2, percent; by sphere, largest first.

    Parameters
    ----------
    contrast_percent : tuple of float
        Q of each sphere; NaN for spheres that are not hot.
    background_variability_percent : tuple of float
        N of each sphere.
    lung_residual_percent : float
        Mean over the slices.
    n_regions : int
        Background regions: 12 positions x slices that lie in the image.
    clearance_mm : float
        Distance of the background regions from the spheres; NEMA asks for 15 mm, which leaves no
        room for twelve regions of 37 mm in every phantom.
    """

    contrast_percent: tuple[float, ...]
    background_variability_percent: tuple[float, ...]
    lung_residual_percent: float
    n_regions: int
    clearance_mm: float


def nema_contrast(image: ImageVolume, phantom: IqPhantom, true_ratio: float) -> NemaContrast:
    """Percent contrast, background variability and lung residual.

    ``Q = 100 (C_hot / C_background - 1) / (ratio - 1)`` with discs of the spheres' inner diameters
    on the central slice and 60 discs of the same size in the background; ``N = 100 SD /
    C_background``.
    Do not compare with recovery coefficients: Q goes to 0 without contrast, a recovery coefficient
    to one over the ratio.

    Parameters
    ----------
    true_ratio : float
        Filled concentration of spheres over background; more than 1.

    Raises
    ------
    InvalidInputError
        The ratio is not above 1, or there is no room for the background regions.

    References
    ----------
    NEMA NU 2-2018, section 7.4.
    """
    if not true_ratio > 1:
        raise InvalidInputError(f"the true ratio must be above 1, got {true_ratio:g}")
    spacing = image.geometry.spacing
    slices = _slices(phantom, image.values.shape[0], spacing[0])
    points, clearance = _positions(phantom, image.values.shape, spacing)
    contrast, variability = [], []
    for i, diameter in enumerate(phantom.diameters_mm):
        discs = [_disc(image, k, p, diameter) for k in slices for p in points]
        background, spread = float(np.mean(discs)), float(np.std(discs, ddof=1))
        variability.append(100.0 * spread / background)
        own = round(float(phantom.centres_mm[i][0]) / spacing[0])
        hot = _disc(image, own, phantom.centres_mm[i][1:], diameter)
        is_hot = phantom.states[i] == "hot"
        excess = 100.0 * (hot / background - 1.0) / (true_ratio - 1.0)
        contrast.append(excess if is_hot else math.nan)
    around = float(np.mean([_disc(image, k, p, _LARGEST_MM) for k in slices for p in points]))
    lung = [_disc(image, k, phantom.circle_centre_mm[1:], _LUNG_DIAMETER_MM) for k in slices]
    return NemaContrast(
        tuple(contrast),
        tuple(variability),
        100.0 * float(np.mean(lung)) / around,
        len(points) * len(slices),
        clearance,
    )


def _slices(phantom: IqPhantom, n: int, step: float) -> list[int]:
    middle = float(phantom.circle_centre_mm[0])
    wanted = [round((middle + offset) / step) for offset in _SLICE_OFFSETS_MM]
    return [k for k in wanted if 0 <= k < n]


def _positions(
    phantom: IqPhantom, shape: tuple[int, ...], spacing: tuple[float, float, float]
) -> tuple[list[FloatArray], float]:
    """Twelve places for discs of 37 mm, spread as far as they go; y, x in mm."""
    central = round(float(phantom.circle_centre_mm[0]) / spacing[0])
    _, y, x = positions_mm((1, *shape[1:]), spacing)
    y, x = y[0], x[0]
    padded = np.pad(phantom.body_mask[central], 1)
    depth = ndimage.distance_transform_edt(padded, sampling=spacing[1:])[1:-1, 1:-1]
    half = _LARGEST_MM / 2.0
    inside = depth >= half + _CLEARANCE_MM
    centre = phantom.circle_centre_mm
    inside &= np.hypot(y - centre[1], x - centre[2]) >= 25.0 + _CLEARANCE_MM + half
    for clearance in _CLEARANCES_MM:
        free = inside.copy()
        for place, diameter in zip(phantom.centres_mm, phantom.diameters_mm, strict=True):
            free &= np.hypot(y - place[1], x - place[2]) >= diameter / 2.0 + clearance + half
        points = np.argwhere(free) * np.asarray(spacing[1:])
        if len(points) >= _N_POSITIONS:
            chosen, apart = _spread(points, centre[1:])
            if apart >= half:
                return chosen, clearance
    raise InvalidInputError("there is no room for 12 background regions around the spheres")


def _spread(points: FloatArray, centre: FloatArray) -> tuple[list[FloatArray], float]:
    """Farthest point after farthest point; with the least distance between two of them."""
    chosen = [points[int(np.argmax(np.linalg.norm(points - centre, axis=1)))]]
    nearest = np.linalg.norm(points - chosen[0], axis=1)
    apart = math.inf
    while len(chosen) < _N_POSITIONS:
        following = int(np.argmax(nearest))
        apart = min(apart, float(nearest[following]))
        chosen.append(points[following])
        nearest = np.minimum(nearest, np.linalg.norm(points - points[following], axis=1))
    return chosen, apart


def _disc(image: ImageVolume, k: int, centre_mm: FloatArray, diameter_mm: float) -> float:
    """Mean in a disc on slice `k`; pixels at its edge count by their share."""
    steps = image.geometry.spacing[1:]
    shift = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    window, squared = [], []
    for c, s, n in zip(centre_mm, steps, image.values.shape[1:], strict=True):
        low = max(math.floor((c - diameter_mm / 2.0) / s), 0)
        high = min(math.ceil((c + diameter_mm / 2.0) / s) + 1, n)
        window.append(slice(low, high))
        squared.append(((np.arange(low, high)[:, None] + shift).ravel() * s - c) ** 2)
    inside = squared[0][:, None] + squared[1][None, :] <= diameter_mm**2 / 4.0
    shape = (window[0].stop - window[0].start, _SAMPLES, window[1].stop - window[1].start, _SAMPLES)
    share = inside.reshape(shape).mean(axis=(1, 3))
    values = np.nan_to_num(image.values[k, window[0], window[1]]).astype(np.float64)
    return float((values * share).sum() / share.sum())
