"""Worker side of resolution: estimates from images, and Gaussians into bands of recovery."""

from __future__ import annotations

from dataclasses import dataclass

from lake.volumes import read_raw
from schemas.records import Row
from tasks.standardise.bands import band_of_image, band_of_resolution
from tasks.standardise.estimate import estimate_resolution
from tasks.standardise.matching import Widths


@dataclass(frozen=True)
class EstimateJob:
    """One image to estimate the resolution of its scanner and reconstruction from."""

    device: tuple[str | None, str | None]
    volume_id: str
    volume_path: str


@dataclass(frozen=True)
class BandJob:
    """One resolution to bring into the band of one standard.

    Parameters
    ----------
    resolution_id, standard : str
        Key of the row.
    fwhm_mm, spacing_mm : tuple of float
        Of the point spread function, and of the voxels of the images.
    phantom_path, true_ratio : str and float, or None
        Raw volume of the phantom it was measured on, and sphere to background as filled; without
        them a digital phantom serves.
    """

    resolution_id: str
    standard: str
    fwhm_mm: Widths
    spacing_mm: Widths
    phantom_path: str | None = None
    true_ratio: float | None = None


def estimate_of(volumes_root: str, job: EstimateJob) -> Widths:
    """FWHM (z, y, x) of the point spread function, estimated from one image."""
    return estimate_resolution(read_raw(volumes_root, job.volume_path).quantified()).fwhm_mm


def band_of(volumes_root: str, job: BandJob) -> Row:
    """Row of `resolution_bands`."""
    if job.phantom_path is None or job.true_ratio is None:
        band = band_of_resolution(job.fwhm_mm, job.spacing_mm, job.standard)
    else:
        image = read_raw(volumes_root, job.phantom_path).quantified()
        band = band_of_image(image, job.standard, job.true_ratio)
    return {
        "resolution_id": job.resolution_id,
        "match_target": job.standard,
        "filter_low_mm": band.low_mm,
        "filter_best_mm": band.best_mm,
        "filter_high_mm": band.high_mm,
        **{f"phantom_spacing_{a}_mm": s for a, s in zip("zyx", band.spacing_mm, strict=True)},
        "limit_status": band.limit_status,
        "match_detail": band.detail or None,
    }
