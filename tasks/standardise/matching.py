"""The Gaussian that brings an image to a target resolution, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from tasks.standardise.kernels import FWHM_PER_SIGMA

#: FWHM (mm) along z, y, x.
Widths = tuple[float, float, float]

#: FWHM of the Gaussian with the variance of a voxel's box, in voxels.
BOX_FWHM: Final = FWHM_PER_SIGMA / math.sqrt(12.0)
#: An image wider than the target by less than this share is taken for equal: no phantom measures
#: resolution better.
TOLERANCE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Resolution:
    """Resolution of a scanner and reconstruction.

    Parameters
    ----------
    source : str
        ``measured``, ``given`` or ``estimated``; see `schemas.standard_profile`.
    fwhm_mm : tuple of float
        Of the Gaussian point spread function along z, y, x, without the averaging over voxels.
    error_mm : float or None
        Standard error of the widest uncertain axis.
    phantom_series_uid : str or None
        Where it was measured.
    """

    source: str
    fwhm_mm: Widths
    error_mm: float | None = None
    phantom_series_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What is done to one image so that it has the target resolution.

    Parameters
    ----------
    status : str
        ``matched``; ``too_coarse``: the image has less resolution than the target; ``unknown``: its
        resolution is not known; ``outside``: no Gaussian brings its recovery into the band.
    target : str
        Name of the target: ``EARL1``, ``cohort-worst``, ``7 mm``.
    target_fwhm_mm : tuple of float or None
        Of the image after matching, voxels included; None for a band of recovery.
    own_fwhm_mm : tuple of float or None
        Of the image before, voxels included.
    filter_fwhm_mm : tuple of float or None
        Of the Gaussian, z, y, x; None where the image is not matched.
    low_mm, high_mm : float or None
        Least and greatest FWHM of an isotropic Gaussian that meets the band.
    limit_status : str or None
        ``verified`` or ``recalled``: whether the limits of the band were read in their source.
    detail : str
        What a person should know, in half a sentence; empty if nothing.
    """

    status: str
    target: str
    resolution: Resolution | None
    own_fwhm_mm: Widths | None = None
    target_fwhm_mm: Widths | None = None
    filter_fwhm_mm: Widths | None = None
    low_mm: float | None = None
    high_mm: float | None = None
    limit_status: str | None = None
    detail: str = ""

    @property
    def is_matched(self) -> bool:
        """Whether the image can have the target resolution."""
        return self.status == "matched"


@dataclass(frozen=True, slots=True)
class Band:
    """Isotropic Gaussians (FWHM, mm) that bring a phantom's image into a band of recovery.

    Parameters
    ----------
    low_mm, best_mm, high_mm : float or None
        None if there is none.
    spacing_mm : tuple of float
        Voxel size of the image of the phantom.
    limit_status : str
        As of `Match`.
    detail : str
        If there is none: what stays outside.
    """

    low_mm: float | None
    best_mm: float | None
    high_mm: float | None
    spacing_mm: Widths
    limit_status: str
    detail: str = ""


def total_fwhm(fwhm_mm: Widths, spacing_mm: Widths) -> Widths:
    """FWHM of an image: its point spread function and the averaging over voxels.

    Variances add, whatever the shapes; a box of width s has the variance s squared / 12.

    Examples
    --------
    >>> [round(w, 3) for w in total_fwhm((6.0, 5.0, 0.0), (2.0, 4.0, 4.0))]
    [6.152, 5.692, 2.719]
    """
    z, y, x = (math.hypot(f, BOX_FWHM * s) for f, s in zip(fwhm_mm, spacing_mm, strict=True))
    return z, y, x


def match_to_fwhm(
    resolution: Resolution, spacing_mm: Widths, target_fwhm_mm: Widths, target: str
) -> Match:
    """Gaussian to a target FWHM: ``sqrt(target^2 - own^2)`` along each axis.

    Parameters
    ----------
    resolution : Resolution
        Of the image's scanner and reconstruction.
    spacing_mm : tuple of float
        Voxel size of the image.
    target_fwhm_mm : tuple of float
        Wanted along z, y, x, voxels included.
    target : str
        Its name.

    Examples
    --------
    >>> psf = Resolution("measured", (3.0, 3.0, 3.0))
    >>> match_to_fwhm(psf, (0.01, 0.01, 0.01), (5.0, 5.0, 5.0), "5 mm").filter_fwhm_mm[0]
    3.9999...
    """
    own = total_fwhm(resolution.fwhm_mm, spacing_mm)
    match = Match("matched", target, resolution, own, target_fwhm_mm)
    wide = [o for o, t in zip(own, target_fwhm_mm, strict=True) if o > t * (1.0 + TOLERANCE)]
    if wide:
        least = ", ".join(f"{t:.1f}" for t in sorted(set(target_fwhm_mm)))
        detail = f"its resolution is {max(wide):.1f} mm, the target {least} mm"
        return replace(match, status="too_coarse", detail=detail)
    z, y, x = (math.sqrt(max(t**2 - o**2, 0.0)) for o, t in zip(own, target_fwhm_mm, strict=True))
    return replace(match, filter_fwhm_mm=(z, y, x))


def match_to_band(resolution: Resolution, spacing_mm: Widths, band: Band, target: str) -> Match:
    """Gaussian that brings the recovery of a scanner into a band.

    The best Gaussian was found on the voxels of the phantom's image. Where those of this image
    differ, the Gaussian makes up for it, so that both end at the same resolution.
    """
    own = total_fwhm(resolution.fwhm_mm, spacing_mm)
    match = Match("matched", target, resolution, own, limit_status=band.limit_status)
    if band.best_mm is None:
        return replace(match, status="outside", detail=band.detail)
    best, tolerance = band.best_mm, TOLERANCE * max(band.best_mm, *band.spacing_mm)
    squares = [
        best**2 + BOX_FWHM**2 * (phantom**2 - image**2)
        for phantom, image in zip(band.spacing_mm, spacing_mm, strict=True)
    ]
    if min(squares) < -(tolerance**2):
        detail = "its voxels are too large beside those of the phantom's image"
        return replace(match, status="too_coarse", detail=detail)
    z, y, x = (math.sqrt(max(s, 0.0)) for s in squares)
    return replace(match, filter_fwhm_mm=(z, y, x), low_mm=band.low_mm, high_mm=band.high_mm)


def unknown(target: str) -> Match:
    """Match of an image whose resolution nobody knows."""
    return Match("unknown", target, None, detail="its resolution is not known")


def worst_of(widths: list[Widths]) -> Widths | None:
    """Widest FWHM along each axis; None without any."""
    if not widths:
        return None
    z, y, x = (max(axis) for axis in zip(*widths, strict=True))
    return z, y, x
