"""Recovery coefficients of the spheres, as EARL defines them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray
from schemas.phantoms import SUV_MAX, SUV_MEAN_A50, SUV_PEAK_AT_MAX, SUV_PEAK_HIGHEST
from schemas.volume import ImageVolume
from tasks.phantom.model import IqPhantom, Mask

#: Radius of a sphere of 1 ml, mm.
PEAK_RADIUS_MM: Final = (3.0 / (4.0 * math.pi)) ** (1.0 / 3.0) * 10.0
#: What belongs to a sphere: so far from its surface, at most half way to its neighbour, mm.
_MARGIN_MM: Final = 10.0
_REACH_MM: Final = 28.0
#: Sub-samples per axis for the share of a voxel in the sphere of 1 ml.
_SAMPLES: Final = 8


@dataclass(frozen=True)
class SphereRecovery:
    """What one sphere measures and what share of the truth that is.

    Parameters
    ----------
    diameter_mm : float
        Inner diameter.
    state : str
        ``hot``, ``missing`` or ``cold``; only hot spheres have values.
    measured : dict of str to float
        By metric (`schemas.phantoms.RECOVERY_METRICS`), in the unit of the image.
    coefficients : dict of str to float
        The same over the true concentration.
    volume_ml : float
        Of the 50 % isocontour; NaN without.
    """

    diameter_mm: float
    state: str
    measured: Mapping[str, float]
    coefficients: Mapping[str, float]
    volume_ml: float


def recovery_curve(
    image: ImageVolume,
    phantom: IqPhantom,
    *,
    true_ratio: float | None = None,
    true_concentration: float | None = None,
) -> tuple[SphereRecovery, ...]:
    """Recovery coefficient of each sphere: measured over true concentration.

    SUVmean is that of the 50 % isocontour adapted to background, ``0.5 (max + background)``;
    SUVpeak the mean in a sphere of 1 ml with partial voxels weighted, around the highest voxel
    (``SUVpeak_1ml_maxvoxel``) and the highest that any voxel of the sphere has
    (``SUVpeak_1ml_maxloc``).

    Parameters
    ----------
    image, phantom
        See `find_spheres`.
    true_ratio : float, optional
        Filled concentration of spheres over background; the measured background is then taken as
        true. An error of calibration does not show.
    true_concentration : float, optional
        Filled concentration of the spheres in the unit of the image.

    Returns
    -------
    tuple of SphereRecovery
        Largest sphere first.

    Raises
    ------
    InvalidInputError
        Not exactly one of the two truths is given, or it is not positive.

    References
    ----------
    EARL, Manual for FDG-PET/CT accreditation. Kaalep A et al. Eur J Nucl Med Mol Imaging
    2018;45:1344 (A50, max and peak). Wahl RL et al. J Nucl Med 2009;50 Suppl 1:122S (1 ml sphere).
    """
    truth = true_sphere_value(phantom, true_ratio, true_concentration)
    return tuple(
        sphere_recovery(image, phantom, number, truth) for number in range(len(phantom.states))
    )


def true_sphere_value(
    phantom: IqPhantom, true_ratio: float | None, true_concentration: float | None
) -> float:
    """Return the value that a sphere would have without any loss, in the unit of the image."""
    if (true_ratio is None) == (true_concentration is None):
        raise InvalidInputError("give either the true ratio or the true concentration")
    truth = (
        true_concentration
        if true_concentration is not None
        else (true_ratio or 0.0) * phantom.background
    )
    if not truth > 0:
        raise InvalidInputError(f"the true concentration must be positive, got {truth:g}")
    return truth


def sphere_recovery(
    image: ImageVolume, phantom: IqPhantom, number: int, truth: float, *, peaks: bool = True
) -> SphereRecovery:
    """Recovery of sphere `number` (from 0) for a known true value; see `recovery_curve`.

    Without `peaks` SUVpeak is left out, which takes most of the time.
    """
    diameter, state = phantom.diameters_mm[number], phantom.states[number]
    if state != "hot":
        return SphereRecovery(diameter, state, {}, {}, math.nan)
    spacing = image.geometry.spacing
    window, near = _surroundings(image.values.shape, phantom, number, spacing)
    wide = _wider(window, image.values.shape, spacing)
    values = np.asarray(np.nan_to_num(image.values[wide]), dtype=np.float64)
    inner = tuple(
        slice(w.start - o.start, w.stop - o.start) for w, o in zip(window, wide, strict=True)
    )
    region = np.zeros(values.shape, dtype=np.bool_)
    region[inner] = near
    highest = float(values[region].max())
    core = a50_region(values, region, phantom.background)
    measured = {SUV_MEAN_A50: float(values[core].mean()), SUV_MAX: highest}
    if peaks:
        means = _peak_means(values, spacing)
        measured[SUV_PEAK_AT_MAX] = float(means[region & (values == highest)].max())
        measured[SUV_PEAK_HIGHEST] = float(means[core].max())
    coefficients = {metric: value / truth for metric, value in measured.items()}
    volume = float(core.sum()) * image.geometry.voxel_volume_ml
    return SphereRecovery(diameter, state, measured, coefficients, volume)


def a50_region(values: FloatArray, region: Mask, background: float) -> Mask:
    """Voxels at or above ``0.5 (max + background)`` that hang together with the highest one.

    Examples
    --------
    >>> line = np.array([[[1.0, 6.0, 10.0, 5.0, 1.0]]])
    >>> a50_region(line, np.ones_like(line, dtype=bool), 1.0).ravel().astype(int)
    array([0, 1, 1, 0, 0])
    """
    highest = values[region].max()
    above = region & (values >= 0.5 * (highest + background))
    labels, _ = ndimage.label(above, structure=np.ones((3, 3, 3)))
    return np.asarray(labels == labels[region & (values == highest)][0])


def _surroundings(
    shape: tuple[int, ...],
    phantom: IqPhantom,
    number: int,
    spacing: tuple[float, float, float],
) -> tuple[tuple[slice, ...], Mask]:
    """Box around a sphere, and the voxels of it that can belong to the sphere."""
    centre = phantom.centres_mm[number]
    reach = min(phantom.diameters_mm[number] / 2.0 + _MARGIN_MM, _REACH_MM)
    window = tuple(
        slice(max(math.ceil((c - reach) / s), 0), min(math.floor((c + reach) / s) + 1, n))
        for c, s, n in zip(centre, spacing, shape, strict=True)
    )
    axes = [
        (np.arange(w.start, w.stop) * s - c) ** 2
        for w, s, c in zip(window, spacing, centre, strict=True)
    ]
    squared = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
    return window, squared <= reach**2


def _wider(
    window: tuple[slice, ...], shape: tuple[int, ...], spacing: tuple[float, float, float]
) -> tuple[slice, ...]:
    """Box with room for the sphere of 1 ml around each voxel."""
    margins = [math.ceil(PEAK_RADIUS_MM / s) + 1 for s in spacing]
    return tuple(
        slice(max(w.start - m, 0), min(w.stop + m, n))
        for w, m, n in zip(window, margins, shape, strict=True)
    )


def _peak_means(values: FloatArray, spacing: tuple[float, float, float]) -> FloatArray:
    """Mean in the sphere of 1 ml around each voxel; what lies beyond the box does not count."""
    weights = peak_weights(spacing)
    total = ndimage.convolve(values, weights, mode="constant")
    share = ndimage.convolve(np.ones_like(values), weights, mode="constant")
    return np.asarray(total / share, dtype=np.float64)


def peak_weights(spacing: tuple[float, float, float]) -> FloatArray:
    """Share of each voxel around one that lies in the sphere of 1 ml about its centre; sum 1.

    Examples
    --------
    >>> peak_weights((4.0, 4.0, 4.0)).shape
    (5, 5, 5)
    """
    shift = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    squared = []
    for step in spacing:
        reach = math.ceil(PEAK_RADIUS_MM / step - 0.5)
        voxels = np.arange(-reach, reach + 1)
        squared.append(((voxels[:, None] + shift).ravel() * step) ** 2)
    z, y, x = squared
    inside = z[:, None, None] + y[None, :, None] + x[None, None, :] <= PEAK_RADIUS_MM**2
    shape = [n for axis in squared for n in (axis.size // _SAMPLES, _SAMPLES)]
    share = inside.reshape(shape).mean(axis=(1, 3, 5))
    return np.asarray(share / share.sum(), dtype=np.float64)
