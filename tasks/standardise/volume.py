"""One volume, as acquired, onto its standard grid."""

from __future__ import annotations

import numpy as np

from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.volume import ImageVolume, RawVolume
from tasks.standardise.grid import grid_for
from tasks.standardise.kernels import matching_fwhm
from tasks.standardise.resample import Values, resample_smoothed


def standardise(
    volume: ImageVolume | RawVolume, profile: StandardProfile, *, like: Geometry | None = None
) -> ImageVolume:
    """Bring a volume onto the standard grid, orientation and resolution of a profile.

    Parameters
    ----------
    volume : ImageVolume or RawVolume
        A raw volume is quantified first: SUVbw where a factor exists, otherwise its own unit.
    profile : StandardProfile
        Spacing, interpolation, smoothing.
    like : Geometry or None
        Grid to use instead of the profile's own, such as that of the PET for its CT.

    Returns
    -------
    ImageVolume
        (z, y, x) float32 with x to the left, y to posterior, z to superior (or as `like`). Voxels
        outside the scanned volume hold the profile's fill value. With cubic interpolation values
        may leave the range of the input beside edges; nothing is clipped.
    """
    values, unit = _quantified(volume)
    grid = grid_for(volume.geometry, profile) if like is None else like
    fwhm = _smoothing_fwhm(volume.geometry, grid, profile)
    result = resample_smoothed(
        values, volume.geometry, grid, profile.interpolation_order, profile.fill_value, fwhm
    )
    attributes = {
        **volume.attributes,
        "profile_id": profile.profile_id,
        "profile_digest": profile.digest(),
        "smoothing_fwhm_mm": list(fwhm),
        "interpolation_order": profile.interpolation_order,
    }
    return ImageVolume(result, grid, unit, attributes)


def _quantified(volume: ImageVolume | RawVolume) -> tuple[Values, str]:
    """Values as float32 and their unit, slice by slice so that no larger copy is made."""
    if isinstance(volume, ImageVolume):
        return volume.values, volume.value_unit
    factor = np.ones(len(volume.stored)) if volume.suv_factor is None else volume.suv_factor
    slope = (volume.rescale_slope * factor).astype(np.float32)
    intercept = (volume.rescale_intercept * factor).astype(np.float32)
    values = np.empty(volume.stored.shape, dtype=np.float32)
    for z, plane in enumerate(volume.stored):
        np.multiply(plane, slope[z], out=values[z], dtype=np.float32)
        if intercept[z] != 0:
            values[z] += intercept[z]
    return values, volume.value_unit if volume.suv_factor is None else "SUVbw"


def _smoothing_fwhm(
    old: Geometry, new: Geometry, profile: StandardProfile
) -> tuple[float, float, float]:
    """FWHM (mm) along the old axes (z, y, x): anti-aliasing and resolution match in quadrature.

    Widths given along the new axes are projected on the old ones, which is exact for parallel
    grids and close for oblique ones.
    """
    directions = np.linalg.inv(_directions(old)) @ _directions(new)  # rows old, columns new; xyz
    shares = directions**2 / (directions**2).sum(axis=1, keepdims=True)
    new_spacing = np.sqrt(shares @ np.square(new.spacing[::-1]))
    wanted = np.sqrt(shares @ np.square((profile.resolution_fwhm_mm or (0.0, 0.0, 0.0))[::-1]))
    fwhm = []
    for spacing, target, extra in zip(old.spacing[::-1], new_spacing, wanted, strict=True):
        matching = matching_fwhm(spacing, float(target)) if profile.anti_alias else 0.0
        fwhm.append(float(np.hypot(matching, extra)))
    return fwhm[2], fwhm[1], fwhm[0]


def _directions(geometry: Geometry) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    linear = geometry.affine[:3, :3]
    return np.asarray(linear / np.linalg.norm(linear, axis=0))
