"""How much an image may be smoothed to meet a standard."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from schemas.errors import InvalidInputError
from schemas.geometry import Geometry
from schemas.phantoms import SUV_PEAK_AT_MAX, SUV_PEAK_HIGHEST
from schemas.volume import ImageVolume
from tasks.phantom.body import smoothed
from tasks.phantom.limits import FAILED, Limit, Verdict, judge, read_limits
from tasks.phantom.model import IqPhantom
from tasks.phantom.recovery import sphere_recovery, true_sphere_value

#: Widths that are tried, mm.
_MOST_FWHM_MM: Final = 12.0
_STEP_MM: Final = 0.1
#: Room around the spheres for the widest Gaussian, mm.
_MARGIN_MM: Final = 45.0


@dataclass(frozen=True)
class AdmissibleGaussian:
    """Additional isotropic Gaussians that bring the recovery into a standard's band.

    Parameters
    ----------
    standard : str
        Such as ``EARL1``.
    low_mm, best_mm, high_mm : float or None
        Least, best and greatest FWHM with every coefficient in its band, 0 being none; best is
        where the coefficients lie closest to the middle of their bands. None if there is no such
        width.
    nearest_mm : float
        Width with the fewest coefficients outside, closest to the middle of the bands.
    outside : tuple of Verdict
        What still lies outside at `nearest_mm`.
    limit_status : str
        ``verified`` if every limit used is; otherwise ``recalled``.
    n_limits : int
        Coefficients that were held against a band.
    """

    standard: str
    low_mm: float | None
    best_mm: float | None
    high_mm: float | None
    nearest_mm: float
    outside: tuple[Verdict, ...]
    limit_status: str
    n_limits: int


def admissible_gaussian(
    image: ImageVolume,
    phantom: IqPhantom,
    standard: str,
    *,
    true_ratio: float | None = None,
    true_concentration: float | None = None,
    known: Iterable[Limit] | None = None,
    only_verified: bool = False,
) -> AdmissibleGaussian:
    """Try isotropic Gaussians of 0 to 12 mm in steps of 0.1 mm and hold each against the band.

    Parameters
    ----------
    image, phantom, true_ratio, true_concentration
        See `recovery_curve`. With a ratio the background stays that of the image as it is.
    standard : str
        Of the limits.
    only_verified : bool
        Leave out limits that were not read in their source.

    Raises
    ------
    InvalidInputError
        There is no limit to hold against.
    """
    used = tuple(
        limit
        for limit in (read_limits() if known is None else known)
        if limit.standard == standard and limit.low is not None and limit.sphere_mm is not None
        and (limit.is_verified or not only_verified)
    )  # fmt: skip
    if not used:
        raise InvalidInputError(f"there are no limits of {standard} to match to")
    truth = true_sphere_value(phantom, true_ratio, true_concentration)
    part, moved = _cut_out(image, phantom)
    peaks = any(limit.metric in {SUV_PEAK_AT_MAX, SUV_PEAK_HIGHEST} for limit in used)
    tried = []
    for width in np.arange(0.0, _MOST_FWHM_MM + _STEP_MM / 2, _STEP_MM):
        values = smoothed(part.values.astype(np.float64), part.geometry.spacing, float(width))
        blurred = part.with_values(values.astype(np.float32))
        recovery = [sphere_recovery(blurred, moved, i, truth, peaks=peaks) for i in moved.hot]
        verdicts = [v for v in judge(recovery, standard, used) if v.limit is not None]
        tried.append((round(float(width), 1), verdicts))
    return _chosen(standard, tried, used)


def _chosen(
    standard: str, tried: list[tuple[float, list[Verdict]]], used: tuple[Limit, ...]
) -> AdmissibleGaussian:
    def outside(verdicts: list[Verdict]) -> tuple[Verdict, ...]:
        return tuple(v for v in verdicts if v.verdict == FAILED)

    within = [(_distance(verdicts), width) for width, verdicts in tried if not outside(verdicts)]
    nearest, verdicts = min(tried, key=lambda t: (len(outside(t[1])), _distance(t[1])))
    status = "verified" if all(limit.is_verified for limit in used) else "recalled"
    return AdmissibleGaussian(
        standard,
        low_mm=min(w for _, w in within) if within else None,
        best_mm=min(within)[1] if within else None,
        high_mm=max(w for _, w in within) if within else None,
        nearest_mm=nearest,
        outside=outside(verdicts),
        limit_status=status,
        n_limits=len(verdicts),
    )


def _distance(verdicts: list[Verdict]) -> float:
    """Root mean square distance from the middle of the bands, in half widths of the band."""
    squares = []
    for v in verdicts:
        limit = v.limit
        if v.value is None or limit is None or limit.low is None or limit.high is None:
            continue
        half = (limit.high - limit.low) / 2.0
        squares.append(((v.value - limit.low - half) / half) ** 2)
    return math.sqrt(sum(squares) / len(squares)) if squares else math.inf


def _cut_out(image: ImageVolume, phantom: IqPhantom) -> tuple[ImageVolume, IqPhantom]:
    """Surroundings of the spheres, which is all that has to be smoothed."""
    spacing = np.asarray(image.geometry.spacing)
    low = np.floor((phantom.centres_mm.min(axis=0) - _MARGIN_MM) / spacing).astype(int)
    high = np.ceil((phantom.centres_mm.max(axis=0) + _MARGIN_MM) / spacing).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, image.values.shape)
    window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    affine = image.geometry.affine.copy()
    affine[:3, 3] = image.geometry.to_lps(low[::-1].astype(np.float64))
    values = image.values[window]
    geometry = Geometry((values.shape[0], values.shape[1], values.shape[2]), affine)
    moved = replace(
        phantom,
        centres_mm=phantom.centres_mm - low * spacing,
        circle_centre_mm=phantom.circle_centre_mm - low * spacing,
        background_mask=phantom.background_mask[window],
        body_mask=phantom.body_mask[window],
        geometry=geometry,
    )
    return ImageVolume(np.nan_to_num(values), geometry, image.value_unit), moved
