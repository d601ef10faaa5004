"""The Gaussian that brings a scanner of known resolution into a band of recovery."""

from __future__ import annotations

import math
from typing import Final

from schemas.phantoms import BODY_LENGTH_MM, SPHERE_PLANE_FROM_LID_MM
from schemas.volume import ImageVolume
from tasks.phantom.admissible import AdmissibleGaussian, admissible_gaussian
from tasks.phantom.limits import read_limits
from tasks.phantom.spheres import find_spheres
from tasks.simulate.imaging import axial_grid
from tasks.simulate.phantoms import Blur, Pose, iq_phantom
from tasks.standardise.matching import Band, Widths

#: Sphere to background, as EARL fills the phantom.
EARL_RATIO: Final = 10.0
#: Extent of the simulated image along y and x, and air beyond the ends of the phantom, mm.
_EXTENT_MM: Final = (290.0, 350.0)
_AIR_MM: Final = 20.0


def band_of_image(image: ImageVolume, standard: str, true_ratio: float) -> Band:
    """Gaussians that bring the image of a NEMA phantom into the band of a standard.

    Parameters
    ----------
    image : ImageVolume
        Of the phantom, as reconstructed.
    standard : str
        ``EARL1`` or ``EARL2``.
    true_ratio : float
        Concentration in the spheres over that in the background, as filled.

    Raises
    ------
    InvalidInputError
        There is no such phantom in the image.
    """
    found = admissible_gaussian(image, find_spheres(image), standard, true_ratio=true_ratio)
    return _band(found, image.geometry.spacing, "")


def band_of_resolution(fwhm_mm: Widths, spacing_mm: Widths, standard: str) -> Band:
    """Return the same for a scanner whose phantom nobody measured: on a digital one.

    The phantom is convolved with the Gaussian and has no noise. That of a real image raises the
    recovery of the maximum, by an amount that is not known here (the bands of EARL 2 for SUVmax
    begin above 1, which no image without noise or overshoot reaches); so only the bands of the mean
    in the 50 % isocontour are held against it, and the answer is an estimate.
    """
    low = -_AIR_MM - BODY_LENGTH_MM + SPHERE_PLANE_FROM_LID_MM
    n_z = math.ceil((BODY_LENGTH_MM + 2 * _AIR_MM) / spacing_mm[0])
    n_y, n_x = (math.ceil(e / s) for e, s in zip(_EXTENT_MM, spacing_mm[1:], strict=True))
    grid = axial_grid((n_z, n_y, n_x), spacing_mm, low)
    values = iq_phantom(grid, Pose(), Blur(fwhm_mm), ratios=(EARL_RATIO,) * 6)
    image = ImageVolume(values, grid, "1")
    means = [limit for limit in read_limits() if limit.metric == "SUVmean_A50"]
    found = admissible_gaussian(
        image, find_spheres(image), standard, true_ratio=EARL_RATIO, known=means
    )
    return _band(found, spacing_mm, "found on a digital phantom without noise, by SUVmean alone")


def _band(found: AdmissibleGaussian, spacing_mm: Widths, how: str) -> Band:
    detail = how
    if found.best_mm is None:
        spheres = ", ".join(
            f"{v.limit.sphere_mm:g} mm ({v.limit.metric})" for v in found.outside if v.limit
        )
        nearest = f"no Gaussian brings all recoveries into the band; with {found.nearest_mm:g} mm "
        detail = f"{nearest}these stay outside: {spheres}" + (f"; {how}" if how else "")
    return Band(found.low_mm, found.best_mm, found.high_mm, spacing_mm, found.limit_status, detail)
