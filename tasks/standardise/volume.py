"""One volume, as acquired, onto its standard grid."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from schemas.geometry import FloatArray, Geometry
from schemas.profiles import StandardProfile
from schemas.volume import Attributes, ImageBlocks, ImageVolume, RawVolume
from tasks.standardise.grid import grid_for
from tasks.standardise.kernels import matching_fwhm
from tasks.standardise.source import VoxelSource, volume_source
from tasks.standardise.streaming import resampled_blocks

#: FWHM (mm) along z, y, x.
Widths = tuple[float, float, float]


def standardise(
    volume: ImageVolume | RawVolume,
    profile: StandardProfile,
    *,
    like: Geometry | None = None,
    matching_fwhm_mm: Widths | None = None,
) -> ImageVolume:
    """Bring a volume onto the standard grid, orientation and resolution of a profile.

    Parameters
    ----------
    volume : ImageVolume or RawVolume
        A raw volume is quantified first: SUVbw where a factor exists, otherwise its own unit.
    profile, like, matching_fwhm_mm
        As in `standardised_blocks`.

    Returns
    -------
    ImageVolume
        (z, y, x) float32 with x to the left, y to posterior, z to superior (or as `like`). Voxels
        outside the scanned volume hold the profile's fill value. With spline interpolation values
        may leave the range of the input beside edges; nothing is clipped.
    """
    source, unit = volume_source(volume)
    blocks = standardised_blocks(
        source, unit, volume.attributes, profile, like=like, matching_fwhm_mm=matching_fwhm_mm
    )
    return blocks.collected()


def standardised_blocks(
    source: VoxelSource,
    value_unit: str,
    attributes: Attributes,
    profile: StandardProfile,
    *,
    like: Geometry | None = None,
    matching_fwhm_mm: Widths | None = None,
) -> ImageBlocks:
    """Bring a volume to its standard, a few slices in memory at a time.

    Parameters
    ----------
    source : VoxelSource
        The volume, quantified.
    value_unit, attributes
        Of the volume.
    profile : StandardProfile
        Spacing, interpolation, smoothing.
    like : Geometry or None
        Grid to use instead of the profile's own, such as that of the PET for its CT.
    matching_fwhm_mm : tuple of float or None
        FWHM of the Gaussian, along the axes (z, y, x) of the *old* volume, that brings it to the
        profile's target resolution. What it does against aliasing is not done a second time.

    Returns
    -------
    ImageBlocks
        As the result of `standardise`, which is the same to the last bit.
    """
    grid = grid_for(source.geometry, profile) if like is None else like
    fwhm = smoothing_fwhm(source.geometry, grid, profile, matching_fwhm_mm)
    blocks = resampled_blocks(source, grid, profile.interpolation_order, profile.fill_value, fwhm)
    about = {
        **attributes,
        "profile_id": profile.profile_id,
        "profile_digest": profile.digest(),
        "profile": {"kind": profile.kind, **asdict(profile)},
        "grid_of": "own" if like is None else profile.grid,
        "smoothing_fwhm_mm": list(fwhm),
        "interpolation_order": profile.interpolation_order,
    }
    return ImageBlocks(grid, value_unit, blocks, about)


def smoothing_fwhm(
    old: Geometry, new: Geometry, profile: StandardProfile, matching: Widths | None = None
) -> Widths:
    """FWHM (mm) along the old axes (z, y, x) of all that is smoothed before interpolation.

    The Gaussian against aliasing and the profile's own add in quadrature; of that and the one
    that matches the resolution the wider one is enough. Widths given along the new axes are
    projected on the old ones, which is exact for parallel grids and close for oblique ones.
    """
    shares = _shares(old, new)
    new_spacing = np.sqrt(shares @ np.square(new.spacing[::-1]))
    extra = np.sqrt(shares @ np.square((profile.resolution_fwhm_mm or (0.0, 0.0, 0.0))[::-1]))
    matched = matching or (0.0, 0.0, 0.0)
    fwhm = []
    for spacing, target, own, match in zip(
        old.spacing[::-1], new_spacing, extra, matched[::-1], strict=True
    ):
        against_aliasing = matching_fwhm(spacing, float(target)) if profile.anti_alias else 0.0
        fwhm.append(float(max(np.hypot(against_aliasing, own), match)))
    return fwhm[2], fwhm[1], fwhm[0]


def _shares(old: Geometry, new: Geometry) -> FloatArray:
    """How much of each new axis (columns) lies along each old axis (rows), squared; x, y, z."""
    directions = np.linalg.inv(_directions(old)) @ _directions(new)
    return np.asarray(directions**2 / (directions**2).sum(axis=1, keepdims=True))


def _directions(geometry: Geometry) -> FloatArray:
    linear = geometry.affine[:3, :3]
    return np.asarray(linear / np.linalg.norm(linear, axis=0))
